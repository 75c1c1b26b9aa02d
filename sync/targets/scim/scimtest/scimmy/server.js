// A SCIM service in memory for the tests: scimmy with its routers, on the Express that is named by the first argument.
// It prints its port. GET /requests answers how many requests of each method there were.
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const express = (await import(process.argv[2])).default;
const token = process.env.SCIM_TOKEN;
const counts = {};

function keep(Resource, unique) {
  const store = new Map();
  let next = 1;
  Resource
    .ingress(async (resource, data) => {
      const clean = JSON.parse(JSON.stringify(data));
      const name = clean[unique]?.toLowerCase();
      for (const [id, other] of store)
        if (id !== resource.id && other[unique]?.toLowerCase() === name)
          throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
      if (resource.id && !store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, "not found");
      const id = resource.id ?? String(next++);
      const now = new Date().toISOString();
      const old = store.get(id);
      store.set(id, {...clean, id, meta: {...clean.meta, created: old?.meta.created ?? now, lastModified: now}});
      return store.get(id);
    })
    .egress(async (resource) => {
      if (resource.id) {
        if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, "not found");
        return structuredClone(store.get(resource.id));
      }
      const all = [...store.values()].map((r) => structuredClone(r));
      return resource.filter ? resource.filter.match(all) : all;
    })
    .degress(async (resource) => {
      if (!store.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, "not found");
    });
  return SCIMMY.Resources.declare(Resource);
}

keep(SCIMMY.Resources.User, "userName");
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
keep(SCIMMY.Resources.Group, "displayName");

const app = express();
app.get("/requests", (_, response) => response.json(counts));
app.use((request, _, next) => {
  counts[request.method] = (counts[request.method] ?? 0) + 1;
  next();
});
app.use("/scim", new SCIMMYRouters({
  type: "bearer", docUri: "https://example.test/help",
  handler: (request) => {
    if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("unknown token");
    return "1";
  },
}));
const listening = app.listen(0, "127.0.0.1", () => console.log(listening.address().port));
listening.keepAliveTimeout = 0; // a connection that is ended while it idles may take a request along
process.stdin.resume();
process.stdin.on("end", () => process.exit(0)); // its test is over
