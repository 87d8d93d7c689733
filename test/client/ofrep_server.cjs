// ofrep_server.cjs - OpenFeature's server provider against URL: one [name, what it gave] a line.
// SPDX-License-Identifier: MIT
const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

const say = (name, what) => console.log(JSON.stringify([name, what]));
const details = (d) => [d.value, d.variant ?? null, d.reason, d.errorCode ?? null];

async function run(url) {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url }));
  const client = OpenFeature.getClient();
  const who = { targetingKey: "u1", email: "a@example.com" };
  say("bool", details(await client.getBooleanDetails("bool", false, who)));
  say("text", details(await client.getStringDetails("text", "?", who)));
  say("int", details(await client.getNumberDetails("int", 0, who)));
  say("float", details(await client.getNumberDetails("float", 0, who)));
  const object = await client.getObjectDetails("object", {}, who);
  say("object", details(object));
  say("metadata", object.flagMetadata);
  const odd = "odd key \u00fc:";
  say(odd, details(await client.getBooleanDetails(odd, false, who)));
  say("nope", details(await client.getBooleanDetails("nope", true, who)));
  say("off", details(await client.getStringDetails("off", "fallback", who)));
  say("split without a key", details(await client.getStringDetails("split", "?", {})));
  await OpenFeature.close();
}

run(process.argv[2]).catch((e) => { console.error(e); process.exit(1); });
