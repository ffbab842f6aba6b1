// What openai-node gets from the other endpoints of the API whose base URL is the first argument, as JSON.
const { OpenAI, toFile } = require("openai");
const { zodResponsesFunction, zodTextFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-any", maxRetries: 0 });
const words = JSON.parse(process.argv[3]);
const forecast = z.object({ city: z.string(), days: z.number().int() });
const body = (input, more = {}) => ({ model: "any", input, ...more });
const width = (png) => Buffer.from(png, "base64").readUInt32BE(16);

async function models() {
  const found = [];
  for await (const each of client.models.list()) found.push(each.id);
  const one = await client.models.retrieve(found[0]);
  return [found.length > 0, one.id === found[0]];
}

async function completions() {
  const asked = { model: "any", prompt: "count 3" };
  const whole = await client.completions.create(asked);
  let streamed = "";
  for await (const each of await client.completions.create({ ...asked, stream: true })) streamed += each.choices[0].text;
  return [whole.choices[0].text, streamed];
}

async function responses() {
  const whole = await client.responses.create(body("echo: hello"));
  const stream = client.responses.stream(body("count 5"));
  let written = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") written += event.delta;
  const last = await stream.finalResponse();
  const more = await client.responses.create(body("echo: again", { previous_response_id: whole.id }));
  return [whole.output_text, written, last.output_text, more.output_text, last.usage.output_tokens];
}

async function structured() {
  const text = { format: zodTextFormat(forecast, "forecast") };
  const whole = await client.responses.parse(body(words.answer, { text }));
  const streamed = await client.responses.stream(body(words.answer, { text })).finalResponse();
  return [whole.output_parsed, streamed.output_parsed];
}

async function called() {
  const tools = [zodResponsesFunction({ name: "forecast", parameters: forecast })];
  const reply = await client.responses.parse(body(words.calls, { tools }));
  const calls = reply.output.filter((item) => item.type === "function_call");
  return calls.map((call) => [call.name, call.parsed_arguments]);
}

async function pictured() {
  const content = [
    { type: "input_text", text: "echo: " },
    { type: "input_image", image_url: `data:image/png;base64,${words.picture}`, detail: "auto" },
  ];
  return (await client.responses.create(body([{ role: "user", content }]))).output_text;
}

async function embeddings() {
  const asked = { model: "any", input: ["a", "b"] };
  const packed = await client.embeddings.create(asked);
  const plain = await client.embeddings.create({ ...asked, encoding_format: "float" });
  const far = packed.data.flatMap((each, at) => each.embedding.map((n, i) => Math.abs(n - plain.data[at].embedding[i])));
  return [packed.data.length, Math.max(...far) < 1e-6, packed.usage.total_tokens > 0];
}

async function images() {
  const asked = { prompt: "a tree", size: "64x64", quality: "low" };
  const whole = await client.images.generate({ ...asked, n: 2 });
  const image = await toFile(Buffer.from(whole.data[0].b64_json, "base64"), "tree.png", { type: "image/png" });
  const edited = await client.images.edit({ image, prompt: "blue", size: "64x64" });
  const kinds = [];
  for await (const event of await client.images.generate({ ...asked, stream: true, partial_images: 1 })) kinds.push(event.type);
  return [whole.data.map((each) => width(each.b64_json)), width(edited.data[0].b64_json), kinds];
}

async function audio() {
  const spoken = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: words.spoken, response_format: "wav" });
  const file = await toFile(Buffer.from(await spoken.arrayBuffer()), "spoken.wav", { type: "audio/wav" });
  const heard = await client.audio.transcriptions.create({ model: "whisper-1", file });
  const kinds = new Set();
  let streamed = "";
  for await (const event of await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file, stream: true })) {
    kinds.add(event.type);
    if (event.type === "transcript.text.done") streamed = event.text;
  }
  return [heard.text, streamed, [...kinds].sort()];
}

async function refused() {
  const kept = (error) => [error.status, error.code, error.constructor.name];
  return Promise.all([
    client.responses.create(body("hi", { temperature: -1 })).catch(kept),
    client.images.generate({ prompt: "a tree", size: "wide" }).catch(kept),
    client.models.retrieve("no/such").catch(kept),
  ]);
}

async function main() {
  const told = {};
  for (const each of [models, completions, responses, structured, called, pictured, embeddings, images, audio, refused]) {
    told[each.name] = await each();
  }
  process.stdout.write(JSON.stringify(told));
}

main();
