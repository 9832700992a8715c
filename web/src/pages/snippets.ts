// Get started: complete snippets for every client, with this server's address filled in.
export interface Snippet {
  name: string;
  code: (url: string, region: string) => string;
  // A request of this kind turns the light green: words in the client's User-Agent or the service.
  seen: { agent?: RegExp; service?: RegExp };
  note?: string;
}

const host = (url: string) => url.replace(/^https?:\/\//, "");
const hostName = (url: string) => host(url).replace(/:\d+$/, "");
const keys = "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test";

export const snippets: Snippet[] = [
  { name: "AWS CLI", seen: { agent: /aws-cli/i }, code: (u, r) => `${keys} AWS_DEFAULT_REGION=${r}\naws --endpoint-url ${u} cloudwatch put-metric-data \\\n  --namespace Demo --metric-name Latency --value 12 --unit Milliseconds\naws --endpoint-url ${u} cloudwatch list-metrics --namespace Demo` },
  { name: "boto3", seen: { agent: /boto3/i }, code: (u, r) => `import boto3, time\n\nkw = dict(endpoint_url="${u}", region_name="${r}",\n          aws_access_key_id="test", aws_secret_access_key="test")\nlogs = boto3.client("logs", **kw)\nlogs.create_log_group(logGroupName="/demo")\nlogs.create_log_stream(logGroupName="/demo", logStreamName="one")\nlogs.put_log_events(logGroupName="/demo", logStreamName="one",\n    logEvents=[{"timestamp": int(time.time() * 1000), "message": '{"level":"INFO","latency_ms":12}'}])` },
  { name: "JavaScript v3", seen: { agent: /aws-sdk-js\/3/i }, note: "Live tail wants disableHostPrefix: true.", code: (u, r) => `import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";\n\nconst client = new CloudWatchClient({\n  endpoint: "${u}", region: "${r}",\n  credentials: { accessKeyId: "test", secretAccessKey: "test" },\n});\nawait client.send(new PutMetricDataCommand({\n  Namespace: "Demo",\n  MetricData: [{ MetricName: "Latency", Value: 12, Unit: "Milliseconds" }],\n}));` },
  { name: "JavaScript v2", seen: { agent: /aws-sdk-nodejs\/2/i }, code: (u, r) => `const AWS = require("aws-sdk");\nconst cloudwatch = new AWS.CloudWatch({ endpoint: "${u}", region: "${r}",\n  accessKeyId: "test", secretAccessKey: "test" });\ncloudwatch.listMetrics({}).promise().then(console.log);` },
  { name: "Java v2", seen: { agent: /aws-sdk-java\/2/i }, code: (u, r) => `CloudWatchClient client = CloudWatchClient.builder()\n    .endpointOverride(URI.create("${u}"))\n    .region(Region.of("${r}"))\n    .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))\n    .build();\nclient.listMetrics();` },
  { name: "Go v2", seen: { agent: /aws-sdk-go-v2/i }, code: (u, r) => `cfg, _ := config.LoadDefaultConfig(ctx,\n    config.WithRegion("${r}"),\n    config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))\nclient := cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {\n    o.BaseEndpoint = aws.String("${u}")\n})` },
  { name: "Rust", seen: { agent: /aws-sdk-rust/i }, code: (u, r) => `let config = aws_config::defaults(BehaviorVersion::latest())\n    .endpoint_url("${u}")\n    .region("${r}")\n    .test_credentials()\n    .load().await;\nlet client = aws_sdk_cloudwatch::Client::new(&config);` },
  { name: ".NET", seen: { agent: /aws-sdk-dotnet/i }, code: (u, r) => `var client = new AmazonCloudWatchClient("test", "test",\n    new AmazonCloudWatchConfig { ServiceURL = "${u}", AuthenticationRegion = "${r}" });\nawait client.ListMetricsAsync();` },
  { name: "Ruby", seen: { agent: /aws-sdk-ruby/i }, code: (u, r) => `client = Aws::CloudWatch::Client.new(endpoint: "${u}", region: "${r}",\n  access_key_id: "test", secret_access_key: "test")\nclient.list_metrics` },
  { name: "PHP", seen: { agent: /aws-sdk-php/i }, code: (u, r) => `$client = new Aws\\CloudWatch\\CloudWatchClient([\n    'endpoint' => '${u}', 'region' => '${r}', 'version' => 'latest',\n    'credentials' => ['key' => 'test', 'secret' => 'test'],\n]);\n$client->listMetrics();` },
  { name: "X-Ray SDK", seen: { service: /^xray$/ }, note: "No daemon is needed: this server is one.", code: (u) => `export AWS_XRAY_DAEMON_ADDRESS=${hostName(u)}:2000\n\n# Python\nfrom aws_xray_sdk.core import xray_recorder\nxray_recorder.configure(service="demo")\nwith xray_recorder.in_segment("demo"):\n    with xray_recorder.in_subsegment("work"):\n        pass` },
  { name: "OpenTelemetry", seen: { agent: /otel/i }, code: (u) => `export OTEL_EXPORTER_OTLP_ENDPOINT=${u}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n# or the collector:\n# exporters:\n#   otlphttp:\n#     endpoint: ${u}` },
  { name: "Terraform", seen: { agent: /terraform/i }, code: (u, r) => `provider "aws" {\n  region                      = "${r}"\n  access_key                  = "test"\n  secret_key                  = "test"\n  skip_credentials_validation = true\n  skip_requesting_account_id  = true\n  skip_metadata_api_check     = true\n  endpoints {\n    cloudwatch     = "${u}"\n    cloudwatchlogs = "${u}"\n    sns            = "${u}"\n    xray           = "${u}"\n    sts            = "${u}"\n  }\n}` },
  { name: "Grafana", seen: { agent: /grafana/i }, code: (u, r) => `apiVersion: 1\ndatasources:\n  - name: Fogwatch\n    type: cloudwatch\n    jsonData:\n      authType: keys\n      defaultRegion: ${r}\n      endpoint: ${u}\n    secureJsonData:\n      accessKey: test\n      secretKey: test` },
  { name: "Docker awslogs", seen: { agent: /docker/i }, code: (u, r) => `docker run --log-driver=awslogs \\\n  --log-opt awslogs-region=${r} \\\n  --log-opt awslogs-endpoint=${u} \\\n  --log-opt awslogs-group=/docker --log-opt awslogs-create-group=true \\\n  alpine echo hello` },
  { name: "Fluent Bit", seen: { agent: /fluent/i }, code: (u, r) => `[OUTPUT]\n    Name              cloudwatch_logs\n    Match             *\n    region            ${r}\n    endpoint          ${hostName(u)}\n    port              ${host(u).split(":")[1] ?? "80"}\n    tls               Off\n    log_group_name    /fluent-bit\n    log_stream_prefix demo-\n    auto_create_group On` },
  { name: "Vector", seen: { agent: /vector/i }, code: (u, r) => `[sinks.fogwatch]\ntype = "aws_cloudwatch_logs"\ninputs = ["my_source"]\nregion = "${r}"\nendpoint = "${u}"\ngroup_name = "/vector"\nstream_name = "{{ host }}"\nencoding.codec = "json"` },
  { name: "CloudWatch agent", seen: { agent: /CWAgent/i }, code: (u, r) => `{\n  "agent": { "region": "${r}" },\n  "metrics": { "endpoint_override": "${u}", "metrics_collected": { "mem": { "measurement": ["used_percent"] } } },\n  "logs": { "endpoint_override": "${u}" }\n}` },
];
