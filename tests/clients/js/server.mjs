// A fogwatch server for the JavaScript tests: started on free ports, ended by its process.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

const BINARY = process.env.FOGWATCH_BINARY ?? fileURLToPath(new URL('../../../build/release/fogwatch', import.meta.url));

export async function startServer({emf = 'off', args = []} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fogwatch-js-'));
  const process_ = spawn(BINARY, ['serve', '--listen', '127.0.0.1:0', '--xray-listen', '127.0.0.1:0', '--otlp-listen', 'off',
                                  '--emf-listen', emf, '--data', join(folder, 'data'), ...args], {stdio: ['ignore', 'pipe', 'ignore']});
  const doors = {};
  for await (const line of createInterface({input: process_.stdout})) {
    const door = /^listening (\w+) (\S+)/.exec(line);
    if (door) doors[door[1]] = door[2];
    if (line === 'Ready.') break;
  }
  if (!doors.api) throw new Error('the server ended before it was ready');
  process_.stdout.resume();
  return {
    url: doors.api,
    emf: doors.emf,
    binary: BINARY,
    xray: doors.xray,
    async stop() {
      const gone = new Promise(resolve => process_.once('exit', resolve));
      process_.kill('SIGTERM');
      await gone;
      rmSync(folder, {recursive: true});
    },
  };
}

// Settings every SDK client takes; the 12-digit access key is the account.
export const settings = (server, account) => ({
  endpoint: server.url, region: 'us-east-1', maxAttempts: 1, credentials: {accessKeyId: account, secretAccessKey: 'test'},
});

export async function until(question, milliseconds = 20_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${milliseconds} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
