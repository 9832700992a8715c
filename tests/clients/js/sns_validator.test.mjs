// Signatures of notifications, judged by the public validator (npm sns-validator) and not by our code.
// The validator wants https and a host it trusts, so fogwatch's links lead to an https door before it.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createVerify} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';

import {ConfirmSubscriptionCommand, CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand, UnsubscribeCommand} from '@aws-sdk/client-sns';
import MessageValidator from 'sns-validator';

import {settings, startServer, until} from './server.mjs';

let server, door, base, sns, endpoint, messages = [];
const folder = mkdtempSync(join(tmpdir(), 'fogwatch-sns-'));

before(async () => {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
                           '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], {stdio: 'ignore'});
  const cert = readFileSync(join(folder, 'cert.pem'));
  https.globalAgent.options.ca = cert;
  door = https.createServer({key: readFileSync(join(folder, 'key.pem')), cert}, (request, response) => {
    http.get(server.url + request.url, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
  });
  await new Promise(resolve => door.listen(0, '127.0.0.1', resolve));
  base = `https://localhost:${door.address().port}`;
  server = await startServer({args: ['--external-url', base]});
  sns = new SNSClient(settings(server, '000000000000'));
  endpoint = http.createServer((request, response) => {
    let body = '';
    request.on('data', piece => { body += piece; });
    request.on('end', () => {
      messages.push(JSON.parse(body));
      response.end();
    });
  });
  await new Promise(resolve => endpoint.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  await server?.stop();
  endpoint?.close();
  door?.close();
  rmSync(folder, {recursive: true});
});

const verdict = message => new Promise(resolve => {
  new MessageValidator(/^localhost:\d+$/, 'utf8').validate(message, error => resolve(error ? error.message : 'valid'));
});
const arrived = wanted => until(() => messages.find(wanted));

for (const version of ['1', '2']) {
  test(`every document is valid, signature version ${version}`, async () => {
    const {TopicArn} = await sns.send(new CreateTopicCommand({Name: `signed-${version}`, Attributes: {SignatureVersion: version}}));
    const {SubscriptionArn} = await sns.send(new SubscribeCommand({
      TopicArn, Protocol: 'http', Endpoint: `http://127.0.0.1:${endpoint.address().port}/${version}`, ReturnSubscriptionArn: true}));
    const of = type => m => m.Type === type && m.TopicArn === TopicArn;
    const asked = await arrived(of('SubscriptionConfirmation'));
    assert.equal(asked.SignatureVersion, version);
    assert.ok(asked.SigningCertURL.startsWith(`${base}/SimpleNotificationService-`), asked.SigningCertURL);
    assert.equal(await verdict(asked), 'valid');
    await sns.send(new ConfirmSubscriptionCommand({TopicArn, Token: asked.Token}));

    const texts = ['plain', 'line\nbreaks "quoted" \\ \u2713 \u{1f600}', '{"json": [1, 2]}'];
    for (const [i, Message] of texts.entries())
      await sns.send(new PublishCommand({TopicArn, Message, Subject: i === 1 ? 'With a subject' : undefined}));
    for (const text of texts) {
      const got = await arrived(m => of('Notification')(m) && m.Message === text);
      assert.equal(await verdict(got), 'valid');
      assert.notEqual(await verdict({...got, Message: text + '!'}), 'valid');
      assert.notEqual(await verdict({...got, Subject: 'another'}), 'valid');
    }
    await sns.send(new UnsubscribeCommand({SubscriptionArn}));
    // The validator takes this kind for a notification (its signableKeys know two kinds only), so the documented keys are checked here.
    const left = await arrived(of('UnsubscribeConfirmation'));
    const verify = createVerify(version === '1' ? 'RSA-SHA1' : 'RSA-SHA256');
    for (const key of ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']) verify.update(`${key}\n${left[key]}\n`);
    const pem = await (await fetch(server.url + new URL(left.SigningCertURL).pathname)).text();
    assert.ok(verify.verify(pem, left.Signature, 'base64'));
  });
}
