"""Logs: what policies do to events: data protection, transformers, field indexes."""
import json
import time

import pytest
from expect import refused, until

GROUP, STREAM = "/rules", "s"
MANAGED = "arn:aws:dataprotection::aws:data-identifier/"


def now_ms():
    return int(time.time() * 1000)


@pytest.fixture
def logs(aws):
    client = aws("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    client.account = aws.account
    return client


def put(client, *messages, group=GROUP, stream=STREAM):
    at = now_ms() - 60_000
    client.put_log_events(logGroupName=group, logStreamName=stream,
                          logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])


def messages(client, **more):
    return [e["message"] for e in client.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, **more)["events"]]


def query(client, text, group=GROUP):
    now = int(time.time())
    started = client.start_query(logGroupName=group, startTime=now - 3600, endTime=now + 60, queryString=text)["queryId"]
    done = until(lambda: (r := client.get_query_results(queryId=started))["status"] in ("Complete", "Failed") and r)
    assert done["status"] == "Complete"
    return [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in done["results"]]


def policy(*identifiers, group=None, configuration=None):
    named = [MANAGED + i if not i.startswith("!") else i[1:] for i in identifiers]
    document = {"Name": "p", "Version": "2021-06-01", "Statement": [
        {"Sid": "audit", "DataIdentifier": named,
         "Operation": {"Audit": {"FindingsDestination": {"CloudWatchLogs": {"LogGroup": group}} if group else {}}}},
        {"Sid": "mask", "DataIdentifier": named, "Operation": {"Deidentify": {"MaskConfig": {}}}}]}
    if configuration:
        document["Configuration"] = configuration
    return json.dumps(document)


# ---- data protection ----------------------------------------------------------------------------------

def test_masks_on_every_read_from_the_policy_on_and_unmask_restores(logs):
    put(logs, "before ada@example.com")
    answer = logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("EmailAddress", "IpAddress"))
    assert answer["logGroupIdentifier"] == GROUP and answer["lastUpdatedTime"] > 0
    put(logs, "after ada@example.com", json.dumps({"who": "bob@example.org", "ip": "10.1.2.3", "n": 5}))
    plain = ["before ada@example.com", "after ada@example.com", '{"who": "bob@example.org", "ip": "10.1.2.3", "n": 5}']
    masked = ["before ada@example.com", "after ***************", '{"who": "***************", "ip": "********", "n": 5}']
    assert messages(logs) == masked
    assert messages(logs, unmask=True) == plain
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern="bob")["events"]
    assert [e["message"] for e in found] == [masked[2]], "patterns look at the original"
    assert logs.filter_log_events(logGroupName=GROUP, filterPattern="bob", unmask=True)["events"][0]["message"] == plain[2]

    assert [r["@message"] for r in query(logs, "fields @message | sort @timestamp asc")] == masked
    assert query(logs, "fields who, ip, n | filter n = 5") == [{"who": "***************", "ip": "********", "n": "5"}]
    assert query(logs, 'fields @message | filter who = "bob@example.org"') == []
    assert query(logs, 'fields n | filter who like /^\\*+$/') == [{"n": "5"}]
    assert [r["unmask(@message)"] for r in query(logs, "fields unmask(@message) | sort @timestamp asc")] == plain
    assert query(logs, "unmask who | filter n = 5") == [{"who": "bob@example.org"}]
    assert query(logs, "stats count(*) as c by who | sort c desc | filter ispresent(who)") == [{"who": "***************", "c": "1"}]


def test_records_masked_and_unmasked(logs):
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("EmailAddress"))
    put(logs, json.dumps({"who": "bob@example.org"}))
    now = int(time.time())
    started = logs.start_query(logGroupName=GROUP, startTime=now - 3600, endTime=now + 60, queryString="fields @message")["queryId"]
    rows = until(lambda: logs.get_query_results(queryId=started)["results"])
    pointer = next(f["value"] for f in rows[0] if f["field"] == "@ptr")
    record = logs.get_log_record(logRecordPointer=pointer)["logRecord"]
    assert record["who"] == "***************" and "bob" not in record["@message"]
    record = logs.get_log_record(logRecordPointer=pointer, unmask=True)["logRecord"]
    assert record["who"] == "bob@example.org" and "bob@example.org" in record["@message"]


def test_policy_life(logs):
    describe = lambda: logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
    empty = logs.get_data_protection_policy(logGroupIdentifier=GROUP)
    assert "policyDocument" not in empty and "dataProtectionStatus" not in describe()
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("EmailAddress"))
    assert describe()["dataProtectionStatus"] == "ACTIVATED"
    assert json.loads(logs.get_data_protection_policy(logGroupIdentifier=GROUP)["policyDocument"]) == json.loads(policy("EmailAddress"))
    put(logs, "x@example.com 10.0.0.1")
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("IpAddress"))
    put(logs, "x@example.com 10.0.0.1")
    logs.delete_data_protection_policy(logGroupIdentifier=GROUP)
    put(logs, "x@example.com 10.0.0.1")
    assert describe()["dataProtectionStatus"] == "DELETED"
    assert "policyDocument" not in logs.get_data_protection_policy(logGroupIdentifier=GROUP)
    # Each event stays as the policy of its time made it.
    assert messages(logs) == ["************* 10.0.0.1", "x@example.com ********", "x@example.com 10.0.0.1"]


def test_findings_are_reported(logs):
    logs.create_log_group(logGroupName="/audit")
    own = {"CustomDataIdentifier": [{"Name": "Badge", "Regex": "B-\\d{3}"}]}
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("!Badge", group="/audit", configuration=own))
    put(logs, "no finding", "B-123 and B-456")
    found = until(lambda: logs.filter_log_events(logGroupName="/audit")["events"])
    record = json.loads(found[0]["message"])
    assert record["resourceArn"].endswith(f":{logs.account}:log-group:{GROUP}:*")
    assert record["dataIdentifiers"] == [{"name": "Badge", "count": 2,
                                          "detections": [{"start": 0, "end": 5}, {"start": 10, "end": 15}]}]


def test_masks_survive_a_restart(fresh):
    logs = fresh("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    put(logs, "before a@example.com")
    fresh.server.stop()
    fresh.server.start()
    logs = fresh("logs")
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("EmailAddress"))
    put(logs, "after a@example.com")
    fresh.server.kill()
    fresh.server.start()
    assert messages(fresh("logs")) == ["before a@example.com", "after *************"]


@pytest.mark.parametrize("document, start", [
    ("x", "Invalid data protection policy: the policy document is not a JSON object."),
    (policy("Nothing"), "Invalid data protection policy: data identifier"),
    (json.dumps({"Name": "n", "Version": "2021-06-01", "Statement": []}), "Invalid data protection policy: Statement must have two"),
])
def test_bad_policies(logs, document, start):
    refused(lambda: logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=document), "InvalidParameterException", start=start)


def test_policies_need_a_standard_group(logs):
    logs.create_log_group(logGroupName="/ia", logGroupClass="INFREQUENT_ACCESS")
    refused(lambda: logs.put_data_protection_policy(logGroupIdentifier="/ia", policyDocument=policy("EmailAddress")), "InvalidParameterException")
    refused(lambda: logs.put_data_protection_policy(logGroupIdentifier="/none", policyDocument=policy("EmailAddress")),
            "ResourceNotFoundException", "The specified log group does not exist.")


# ---- transformers -------------------------------------------------------------------------------------

TRANSFORMER = [{"grok": {"match": "%{IP:client.ip} %{WORD:method} %{NUMBER:ms}"}},
               {"typeConverter": {"entries": [{"key": "ms", "type": "integer"}]}},
               {"lowerCaseString": {"withKeys": ["method"]}},
               {"copyValue": {"entries": [{"source": "@logGroupStream", "target": "from"}]}}]


def test_transformed_fields_in_queries_original_elsewhere(logs):
    put(logs, "10.0.0.1 GET 5")
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=TRANSFORMER)
    put(logs, "10.0.0.2 GET 30", "10.0.0.3 POST 12", "no match here")
    assert messages(logs) == ["10.0.0.1 GET 5", "10.0.0.2 GET 30", "10.0.0.3 POST 12", "no match here"]
    rows = query(logs, "fields @message, client.ip, method, ms, from | filter ms > 10 | sort ms asc")
    assert rows == [{"@message": "10.0.0.3 POST 12", "client.ip": "10.0.0.3", "method": "post", "ms": "12", "from": STREAM},
                    {"@message": "10.0.0.2 GET 30", "client.ip": "10.0.0.2", "method": "get", "ms": "30", "from": STREAM}]
    assert query(logs, "stats avg(ms) as a, count(*) as n by method | filter ispresent(method) | sort method asc") == [
        {"method": "get", "a": "30", "n": "1"}, {"method": "post", "a": "12", "n": "1"}]
    fields = {f["name"] for f in logs.get_log_group_fields(logGroupName=GROUP)["logGroupFields"]}
    assert {"client.ip", "method", "ms", "from"} <= fields


def test_transformed_and_masked(logs):
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=TRANSFORMER)
    logs.put_data_protection_policy(logGroupIdentifier=GROUP, policyDocument=policy("IpAddress"))
    put(logs, "10.0.0.2 GET 30")
    assert query(logs, "fields @message, client.ip, ms") == [{"@message": "******** GET 30", "client.ip": "********", "ms": "30"}]
    assert query(logs, "fields unmask(client.ip) as ip, unmask(@message) as m") == [{"ip": "10.0.0.2", "m": "10.0.0.2 GET 30"}]


def test_transformer_life(logs):
    refused(lambda: logs.delete_transformer(logGroupIdentifier=GROUP), "ResourceNotFoundException")
    assert "transformerConfig" not in logs.get_transformer(logGroupIdentifier=GROUP)
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=TRANSFORMER)
    got = logs.get_transformer(logGroupIdentifier=GROUP)
    assert got["transformerConfig"] == TRANSFORMER and got["creationTime"] == got["lastModifiedTime"]
    put(logs, "10.0.0.2 GET 30")
    logs.delete_transformer(logGroupIdentifier=GROUP)
    put(logs, "10.0.0.2 GET 30")
    assert query(logs, "stats count(*) as n, count(ms) as m") == [{"n": "2", "m": "1"}]


def test_test_transformer(logs):
    answer = logs.test_transformer(transformerConfig=TRANSFORMER, logEventMessages=["10.0.0.2 GET 30", "else"])["transformedLogs"]
    assert [r["eventNumber"] for r in answer] == [1, 2]
    assert json.loads(answer[0]["transformedEventMessage"])["client"] == {"ip": "10.0.0.2"}
    assert answer[1]["eventMessage"] == "else"


@pytest.mark.parametrize("config, message", [
    ([{"lowerCaseString": {"withKeys": ["a"]}}], "Invalid transformer configuration: the first processor must be a parser."),
    ([{"grok": {"match": "%{FOO:a}"}}], "Invalid transformer configuration: grok: pattern FOO is not supported."),
    ([{}], "Invalid transformer configuration: each entry must have exactly one processor."),
])
def test_bad_transformers(logs, config, message):
    refused(lambda: logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=config), "InvalidParameterException", message)


# ---- field indexes ------------------------------------------------------------------------------------

def test_index_policy_and_filter_index(logs):
    logs.create_log_group(logGroupName="/plain")
    logs.create_log_stream(logGroupName="/plain", logStreamName="s")
    document = json.dumps({"Fields": ["requestId"], "FieldsV2": {"tenant": {"type": "FACET"}}})
    made = logs.put_index_policy(logGroupIdentifier=GROUP, policyDocument=document)["indexPolicy"]
    assert made["source"] == "LOG_GROUP" and made["policyDocument"] == document
    put(logs, json.dumps({"requestId": "a", "tenant": "t"}), json.dumps({"requestId": "b"}))
    put(logs, json.dumps({"requestId": "a"}), group="/plain", stream="s")
    now = int(time.time())
    started = logs.start_query(logGroupNames=[GROUP, "/plain"], startTime=now - 3600, endTime=now + 60,
                               queryString='fields requestId | filterIndex requestId = "a"')["queryId"]
    done = until(lambda: (r := logs.get_query_results(queryId=started))["status"] == "Complete" and r)
    assert len(done["results"]) == 1, "the group without the index is passed over"
    assert logs.describe_index_policies(logGroupIdentifiers=[GROUP])["indexPolicies"][0]["policyDocument"] == document
    assert logs.describe_index_policies(logGroupIdentifiers=["/plain"])["indexPolicies"] == []
    found = {i["fieldIndexName"]: i for i in logs.describe_field_indexes(logGroupIdentifiers=[GROUP])["fieldIndexes"]}
    assert found["requestId"]["type"] == "FIELD_INDEX" and found["tenant"]["type"] == "FACET"
    assert found["requestId"]["lastEventTime"] == found["tenant"]["lastEventTime"] + 1
    assert found["@logStream"]["indexCategory"] == "DEFAULT" and "traceId" not in found
    custom = logs.describe_field_indexes(logGroupIdentifiers=[GROUP], indexCategories=["CUSTOM"])["fieldIndexes"]
    assert [i["fieldIndexName"] for i in custom] == ["requestId", "tenant"]
    assert [g["logGroupName"] for g in logs.list_log_groups(fieldIndexNames=["tenant"])["logGroups"]] == [GROUP]
    logs.delete_index_policy(logGroupIdentifier=GROUP)
    refused(lambda: logs.delete_index_policy(logGroupIdentifier=GROUP), "ResourceNotFoundException")


@pytest.mark.parametrize("document, message", [
    ("[]", "Invalid index policy: The policy document is not a valid JSON object."),
    ("{}", "Invalid index policy: The policy document names no field."),
    ('{"Fields": "a"}', "Invalid index policy: Fields must be an array of strings."),
    ('{"Fields": ["a", "a"]}', "Invalid index policy: Field a is listed more than once."),
    (json.dumps({"Fields": [f"f{i}" for i in range(21)]}), "Invalid index policy: A field index policy can have at most 20 fields."),
    ('{"FieldsV2": {"a": {"type": "X"}}}', "Invalid index policy: The type of field a must be FIELD_INDEX or FACET."),
])
def test_bad_index_policies(logs, document, message):
    refused(lambda: logs.put_index_policy(logGroupIdentifier=GROUP, policyDocument=document), "InvalidParameterException", message)


def test_account_policies_reach_groups(logs):
    logs.put_account_policy(policyName="mask", policyType="DATA_PROTECTION_POLICY", scope="ALL", policyDocument=policy("EmailAddress"))
    logs.put_account_policy(policyName="index", policyType="FIELD_INDEX_POLICY", policyDocument='{"Fields": ["k"]}',
                            selectionCriteria='LogGroupNamePrefix = "/rul"')
    put(logs, "x@example.com")
    assert messages(logs) == ["*************"]
    assert logs.describe_index_policies(logGroupIdentifiers=[GROUP])["indexPolicies"][0]["source"] == "ACCOUNT"
    assert logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["inheritedProperties"] == ["ACCOUNT_DATA_PROTECTION"]
