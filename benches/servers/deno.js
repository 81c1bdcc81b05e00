// PORT: what assay.lua serves.
import { DatabaseSync } from "node:sqlite";

const db = new DatabaseSync(":memory:");
db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)");
db.exec("INSERT INTO users (name) VALUES ('ada'), ('brian'), ('edsger')");
const query = db.prepare("SELECT id, name FROM users WHERE id = ?");

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, async (req) => {
  const path = req.url.slice(req.url.indexOf("/", 8));
  if (path === "/echo") return Response.json(await req.json());
  if (path === "/query") return Response.json(query.get(2));
  return new Response("hello");
});
