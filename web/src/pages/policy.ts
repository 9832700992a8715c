// Policies as the forms need them: beginnings to choose from, and what is wrong with a text before it is sent.

export const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

export const templates: [string, unknown[]][] = [
  ["Nothing yet", []],
  ["Everything", [everything]],
  ["Reading only", [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ["cloudwatch:Get*", "cloudwatch:List*", "cloudwatch:Describe*", "logs:Get*", "logs:Describe*", "logs:List*", "logs:Filter*", "logs:StartQuery", "logs:StopQuery", "logs:StartLiveTail", "xray:Get*", "xray:BatchGet*", "xray:List*", "sns:Get*", "sns:List*", "fogwatch:Get*"], Resource: "*" }] }]],
  ["Metrics of one namespace", [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "cloudwatch:PutMetricData", Resource: "*", Condition: { StringEquals: { "cloudwatch:namespace": "MyService" } } }] }]],
  ["Logs below one prefix", [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"], Resource: "arn:aws:logs:*:*:log-group:/my-service/*" }] }]],
  ["Traces", [{ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"], Resource: "*" }] }]],
];

export const textOf = (policies: unknown[]) => (policies.length === 0 ? "[]" : JSON.stringify(policies.length === 1 ? policies[0] : policies, null, 2));

// One document, or a list of them. What the server alone knows (operators, elements) it says itself.
export function readPolicies(text: string): { policies: unknown[] } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const at = /position (\d+)/.exec(String(error));
    const line = at ? text.slice(0, Number(at[1])).split("\n").length : undefined;
    return { problem: "This is not JSON" + (line ? `: see line ${line}` : "") + "." };
  }
  const policies = Array.isArray(value) ? value : [value];
  const wrong = policies.findIndex((p) => p === null || typeof p !== "object" || !("Statement" in p));
  return wrong >= 0 ? { problem: `Policy ${wrong + 1} has no Statement.` } : { policies };
}
