// flagd_same.cjs - flagd's own evaluator (flagd-core) and the daemon at URL on the same flags and
// contexts. Keys are ASCII: of others flagd-core takes UTF-16 units where flagd, and we, take UTF-8.
// Prints each difference, then {"compared": how many}.
// SPDX-License-Identifier: MIT
const { FlagdCore } = require("@openfeature/flagd-core");

const variants = { a: "A", b: "B", c: "C" };
const flag = (targeting) => ({ state: "ENABLED", variants, defaultVariant: "a", targeting });
const byMail = { cat: [{ var: "$flagd.flagKey" }, { var: "email" }] };
const flags = {
  thirds: flag({ fractional: [["a", 1], ["b", 1], ["c", 1]] }),
  uneven: flag({ fractional: [["a", 5], ["b", 15], ["c", 80]] }),
  short: flag({ fractional: [["a"], ["b"], ["c"]] }),
  fine: flag({ fractional: [["a", 1], ["b", 99999999], ["c", 2047483647]] }),
  mail: flag({ fractional: [byMail, ["a", 50], ["b", 30], ["c", 20]] }),
  seeded: flag({ fractional: [{ cat: ["seed-1", { var: "targetingKey" }] }, ["a", 1], ["b", 9]] }),
  nested: flag({ fractional: [[{ if: [{ var: "old" }, "a", "b"] }, 40], ["c", 60]] }),
  computed: flag({ fractional: [["a", { var: "n" }], ["b", { "-": [10, { var: "n" }] }]] }),
  nobody: flag({ fractional: [["a", 0], ["b", 0]] }),
  version: flag({ if: [{ sem_ver: [{ var: "v" }, ">=", "1.2.3"] }, "b",
                       { sem_ver: [{ var: "v" }, "^", "1.0.0"] }, "c"] }),
  ends: flag({ if: [{ ends_with: [{ var: "email" }, "7@x.de"] }, "b",
                    { starts_with: [{ var: "email" }, "m1"] }, "c"] }),
  lists: flag({ if: [{ in: [{ var: "n" }, [1, 3, 5]] }, "b",
                     { some: [{ var: "l" }, { ">": [{ var: "" }, 8] }] }, "c"] }),
  ref: flag({ if: [{ $ref: "odd" }, "b", "c"] }),
};
const $evaluators = { odd: { "===": [{ "%": [{ var: "n" }, 2] }, 1] } };

async function run(url) {
  const file = JSON.stringify({ flags, $evaluators });
  const set = await fetch(url + "/api/v1/flags", { method: "PUT", body: file });
  if (set.status !== 200) throw new Error(await set.text());
  const quiet = { error() {}, warn() {}, info() {}, debug() {} };
  const core = new FlagdCore(undefined, quiet);
  core.setConfigurations(file);
  const versions = ["1.2.3", "1.2.3-rc.1", "v1.3", "2.0.0", "0.9.9", "1.0", "nonsense", "1.2.3+b"];
  let compared = 0;
  for (let i = 0; i < 250; i++) {
    const context = { targetingKey: "user-" + i,
                      email: "m" + i + "@x.de", n: i % 12, v: versions[i % 8], old: i % 2 === 0,
                      l: [i % 7, i % 11] };
    const reply = await fetch(url + "/ofrep/v1/evaluate/flags",
                              { method: "POST", body: JSON.stringify({ context }) });
    const ours = Object.fromEntries((await reply.json()).flags.map((f) => [f.key, f]));
    for (const key of Object.keys(flags)) {
      const theirs = core.resolveStringEvaluation(key, "?", context, quiet);
      compared++;
      if (theirs.variant !== ours[key].variant || theirs.reason !== ours[key].reason)
        console.log(JSON.stringify({ key, context, theirs, ours: ours[key] }));
    }
  }
  console.log(JSON.stringify({ compared }));
}

run(process.argv[2]).catch((e) => { console.error(e); process.exit(1); });
