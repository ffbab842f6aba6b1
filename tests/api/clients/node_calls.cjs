// What openai-node gets from the API whose base URL is the first argument, as JSON.
const { OpenAI } = require("openai");
const { zodFunction, zodResponseFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-any", maxRetries: 0 });
const words = JSON.parse(process.argv[3]);
const forecast = z.object({ city: z.string(), days: z.number().int() });
const body = (content, more = {}) => ({ model: "any", messages: [{ role: "user", content }], ...more });
const tools = [zodFunction({ name: "forecast", parameters: forecast })];
const called = (choice) => choice.message.tool_calls.map((call) => [call.function.name, call.function.parsed_arguments]);

async function whole() {
  const reply = await client.chat.completions.create(body("echo: hello"));
  return [reply.choices[0].message.content, reply.choices[0].finish_reason];
}

async function streamed() {
  const usage = { stream_options: { include_usage: true } };
  const reply = await client.chat.completions.stream(body("count 5", usage)).finalChatCompletion();
  return [reply.choices[0].message.content, reply.usage.completion_tokens];
}

async function parsed() {
  const format = { response_format: zodResponseFormat(forecast, "forecast") };
  const reply = await client.chat.completions.parse(body(words.answer, format));
  const stream = await client.chat.completions.stream(body(words.answer, format)).finalChatCompletion();
  return [reply, stream].map((each) => each.choices[0].message.parsed);
}

async function calls() {
  const reply = await client.chat.completions.parse(body(words.calls, { tools }));
  const stream = await client.chat.completions.stream(body(words.calls, { tools })).finalChatCompletion();
  return [reply, stream].map((each) => called(each.choices[0]));
}

async function failed() {
  return client.chat.completions.create(body("echo: hi", { temperature: -1 })).catch((error) => [error.status, error.param]);
}

async function main() {
  const told = { whole: await whole(), streamed: await streamed(), parsed: await parsed(), calls: await calls() };
  process.stdout.write(JSON.stringify({ ...told, failed: await failed() }));
}

main();
