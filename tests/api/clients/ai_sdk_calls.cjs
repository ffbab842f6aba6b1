// What Vercel's AI SDK gets from the API whose base URL is the first argument, through the provider that is the third,
// as JSON.
const { generateText, streamText, stepCountIs, tool, Output } = require("ai");
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { z } = require("zod");

const baseURL = process.argv[2];
const words = JSON.parse(process.argv[3]);
const openai = createOpenAI({ baseURL, apiKey: "sk-any" });
const anthropic = createAnthropic({ baseURL, apiKey: "sk-any" });
const compatible = createOpenAICompatible({
  name: "local", baseURL, apiKey: "sk-any", includeUsage: true, supportsStructuredOutputs: true,
});
const models = {
  openai_chat: openai.chat("any"),
  openai_responses: openai.responses("any"),
  openai_compatible: compatible("any"),
  anthropic: anthropic("any"),
};
const Forecast = z.object({ city: z.string(), days: z.number().int(), notes: z.record(z.string(), z.string()).nullable() });

async function calls(model, run) {
  const made = [];
  const forecast = tool({
    description: "Weather of the coming days.",
    inputSchema: z.object({ city: z.string(), days: z.number().int() }),
    execute: async (input) => { made.push(input); return "\ncount 6\n"; },
  });
  const result = await run({ model, prompt: words.call, tools: { forecast }, stopWhen: stepCountIs(3), maxRetries: 0 });
  return [made, await result.text];
}

async function streamed(model) {
  const result = streamText({ model, system: "Be kind.", prompt: "count 5", maxRetries: 0 });
  const parts = [];
  for await (const part of result.textStream) parts.push(part);
  return [parts.join(""), (await result.usage).outputTokens];
}

async function seen(model) {
  const content = [
    { type: "text", text: "echo: " },
    { type: "image", image: words.picture, mediaType: "image/png" },
    { type: "file", data: words.picture, mediaType: "image/png" },
  ];
  return (await generateText({ model, messages: [{ role: "user", content }], maxRetries: 0 })).text;
}

async function told(model) {
  const whole = await generateText({ model, system: "Be kind.", prompt: "count 4", maxRetries: 0 });
  const form = await generateText({ model, prompt: words.answer, output: Output.object({ schema: Forecast }), maxRetries: 0 });
  return {
    whole: whole.text,
    streamed: await streamed(model),
    called: await calls(model, generateText),
    called_in_stream: await calls(model, async (options) => streamText(options)),
    parsed: form.output,
    seen: await seen(model),
  };
}

told(models[process.argv[4]]).then((all) => process.stdout.write(JSON.stringify(all)));
