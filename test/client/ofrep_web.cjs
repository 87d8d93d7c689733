// ofrep_web.cjs - OpenFeature's web provider against URL, with a browser's EventSource made of fetch:
// flags in bulk, a change that is pushed, an answer that has not changed. One [name, what] a line.
// SPDX-License-Identifier: MIT
class EventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  constructor(url) {
    super();
    this.readyState = EventSource.CONNECTING;
    this.stop = new AbortController();
    this.read(url).catch(() => {
      this.readyState = EventSource.CLOSED;
      this.dispatchEvent(new Event("error"));
    });
  }
  async read(url) {
    const reply = await fetch(url, { headers: { Accept: "text/event-stream" },
                                     signal: this.stop.signal });
    if (reply.status !== 200 || reply.headers.get("content-type") !== "text/event-stream")
      throw new Error("no stream");
    this.readyState = EventSource.OPEN;
    this.dispatchEvent(new Event("open"));
    let text = "";
    for await (const bytes of reply.body) {
      text += Buffer.from(bytes).toString();
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const data = text.slice(0, end).split("\n").filter((l) => l.startsWith("data: "));
        if (data.length)
          this.dispatchEvent(new MessageEvent("message", { data: data[0].slice(6) }));
      }
    }
    throw new Error("the end");
  }
  close() {
    this.readyState = EventSource.CLOSED;
    this.stop.abort();
  }
}
globalThis.EventSource = EventSource;

const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");

const say = (name, what) => console.log(JSON.stringify([name, what]));
const details = (d) => [d.value, d.variant ?? null, d.reason, d.errorCode ?? null];

async function run(url) {
  const statuses = [];
  const fetchImplementation = async (...args) => {
    const reply = await fetch(...args);
    statuses.push(reply.status);
    return reply;
  };
  const who = { targetingKey: "u1", email: "a@example.com" };
  await OpenFeature.setContext(who);
  await OpenFeature.setProviderAndWait(
    new OFREPWebProvider({ baseUrl: url, fetchImplementation, cacheMode: "disabled" }));
  const client = OpenFeature.getClient();
  say("bool", details(client.getBooleanDetails("bool", false)));
  say("text", details(client.getStringDetails("text", "?")));
  say("int", details(client.getNumberDetails("int", 0)));
  say("float", details(client.getNumberDetails("float", 0)));
  const object = client.getObjectDetails("object", {});
  say("object", details(object));
  say("metadata", object.flagMetadata);
  const odd = "odd key \u00fc:";
  say(odd, details(client.getBooleanDetails(odd, false)));
  say("nope", details(client.getBooleanDetails("nope", true)));
  say("off", details(client.getStringDetails("off", "fallback")));

  // The flags were set a moment ago: the stream begins with one event for it, which changes nothing.
  for (let i = 0; i < 100 && statuses.length < 2; i++) await new Promise((r) => setTimeout(r, 50));
  say("answers without a change", statuses[1]);

  const told = new Promise((resolve, reject) => {
    client.addHandler(ProviderEvents.ConfigurationChanged, resolve);
    setTimeout(() => reject(new Error("no event within 10 s")), 10000).unref();
  });
  const began = Date.now();
  await fetch(url + "/api/v1/flags/bool", { method: "PUT", body: JSON.stringify(
    { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" }) });
  await told;
  say("milliseconds from change to event", Date.now() - began);
  say("after the change", client.getBooleanValue("bool", true));
  await OpenFeature.setContext({ targetingKey: "u2" });
  say("after another context", client.getStringValue("text", "?"));
  await OpenFeature.close();
}

run(process.argv[2]).then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
