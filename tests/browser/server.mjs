// A server of the test's own: temporary data, free ports, ended by its process id.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export async function startServer() {
  const data = mkdtempSync(join(tmpdir(), "fogwatch-browser-"));
  const program = process.env.FOGWATCH_BINARY ?? "build/release/fogwatch";
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--xray-listen", "off", "--otlp-listen", "off", "--emf-listen", "off", "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
  let url;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /^listening api (\S+)/.exec(line)?.[1];
    if (line === "Ready.") break;
  }
  if (!url) throw new Error("the server did not start");
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
