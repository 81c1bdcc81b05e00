// PORT [WORKERS]: what assay.lua serves, but for the row.
const http = require("node:http");
const cluster = require("node:cluster");

const workers = Number(process.argv[3] ?? 1);
if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
  // Asked to end, or left alone.
  process.on("SIGTERM", () => process.exit());
} else {
  http.createServer((req, res) => {
    if (req.url !== "/echo") {
      res.setHeader("content-type", "text/plain");
      return res.end("hello");
    }
    const parts = [];
    req.on("data", (part) => parts.push(part));
    req.on("end", () => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify(JSON.parse(Buffer.concat(parts))));
    });
  }).listen(Number(process.argv[2]), "127.0.0.1");
}
