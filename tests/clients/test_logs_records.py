"""Logs: saved queries, lookup tables, destinations, resource policies, deliveries, integrations."""
import json
import time

import pytest
from expect import newest_boto, refused, until

TARGET, ROLE = "arn:aws:kinesis:us-east-1:111122223333:stream/s", "arn:aws:iam::111122223333:role/r"


@pytest.fixture
def logs(aws):
    client = aws("logs")
    client.account = aws.account
    return client


def test_query_definitions(logs):
    refused(lambda: logs.put_query_definition(name="n", queryString="fields @message", queryDefinitionId="none"),
            "ResourceNotFoundException")
    token = "t" * 40
    first = logs.put_query_definition(name="b/errors", queryString="filter level = {{level}}", logGroupNames=["/a"], clientToken=token,
                                      parameters=[{"name": "level", "defaultValue": "ERROR", "description": "d"}])["queryDefinitionId"]
    assert logs.put_query_definition(name="b/errors", queryString="filter level = 1", clientToken=token)["queryDefinitionId"] == first
    second = logs.put_query_definition(name="a", queryString="fields @message")["queryDefinitionId"]
    items = logs.describe_query_definitions()["queryDefinitions"]
    assert [i["queryDefinitionId"] for i in items] == [second, first]
    assert items[1]["parameters"] == [{"name": "level", "defaultValue": "ERROR", "description": "d"}] and items[1]["logGroupNames"] == ["/a"]
    page = logs.describe_query_definitions(maxResults=1)
    assert len(page["queryDefinitions"]) == 1
    assert logs.describe_query_definitions(maxResults=1, nextToken=page["nextToken"])["queryDefinitions"][0]["queryDefinitionId"] == first
    assert [i["name"] for i in logs.describe_query_definitions(queryDefinitionNamePrefix="b/")["queryDefinitions"]] == ["b/errors"]
    logs.put_query_definition(name="b/errors", queryString="fields 1", queryDefinitionId=first)
    changed = logs.describe_query_definitions(queryDefinitionNamePrefix="b/")["queryDefinitions"][0]
    assert changed["logGroupNames"] == [] and "parameters" not in changed, "an update keeps nothing"
    assert logs.delete_query_definition(queryDefinitionId=first)["success"] is True
    refused(lambda: logs.delete_query_definition(queryDefinitionId=first), "ResourceNotFoundException")


@pytest.mark.parametrize("parameters, text, message", [
    ([{"name": "a"}, {"name": "a"}], "{{a}}", "Query parameter a is defined more than once."),
    ([{"name": "a"}], "fields 1", "Query parameter a is not used in the query string."),
    ([{"name": "a"}], "{{a}} {{b}}", "Query parameter b is not defined."),
])
def test_bad_query_parameters(logs, parameters, text, message):
    refused(lambda: logs.put_query_definition(name="n", queryString=text, parameters=parameters), "InvalidParameterException", message)


def test_lookup_tables(logs):
    body = 'ip,site\n10.0.0.1,"Lab, north"\n10.0.0.2,Depot\n'
    made = logs.create_lookup_table(lookupTableName="sites", tableBody=body, description="d", tags={"k": "v"})
    arn = made["lookupTableArn"]
    assert arn == f"arn:aws:logs:us-east-1:{logs.account}:lookup-table:sites"
    refused(lambda: logs.create_lookup_table(lookupTableName="sites", tableBody=body), "ResourceAlreadyExistsException")
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"k": "v"}
    item = logs.describe_lookup_tables(lookupTableNamePrefix="si")["lookupTables"][0]
    assert item["tableFields"] == ["ip", "site"] and item["recordsCount"] == 2 and item["sizeBytes"] == len(body)
    assert logs.get_lookup_table(lookupTableArn=arn)["tableBody"] == body

    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    now = int(time.time())
    logs.put_log_events(logGroupName="/g", logStreamName="s", logEvents=[
        {"timestamp": now * 1000 - 1000 + i, "message": json.dumps({"ip": f"10.0.0.{i}"})} for i in range(3)])
    def run(text):
        started = logs.start_query(logGroupName="/g", startTime=now - 60, endTime=now + 60, queryString=text)["queryId"]
        done = until(lambda: (r := logs.get_query_results(queryId=started))["status"] == "Complete" and r)
        return started, [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in done["results"]]
    _, rows = run("fields ip | lookup sites ip as ip OUTPUT site | sort ip asc")
    assert [r.get("site") for r in rows] == [None, "Lab, north", "Depot"]
    counted, _ = run("stats count(*) as n by ip | sort ip asc")
    logs.update_lookup_table(lookupTableArn=arn, queryId=counted)
    assert logs.get_lookup_table(lookupTableArn=arn)["tableBody"].splitlines()[0] == "ip,n"
    logs.delete_lookup_table(lookupTableArn=arn)
    refused(lambda: logs.get_lookup_table(lookupTableArn=arn), "ResourceNotFoundException", "The specified lookup table does not exist.")


@pytest.mark.parametrize("body, message", [
    ("a,b\n1\n", "Row 1 of the lookup table has 1 columns, the header has 2."),
    ("a,a\n", "The header row of the lookup table has column a more than once."),
    ('a\n"x', "The lookup table has a quote that is not closed."),
    ("\n", "The lookup table has no header row."),
])
def test_bad_lookup_tables(logs, body, message):
    refused(lambda: logs.create_lookup_table(lookupTableName="t", tableBody=body), "ValidationException", message)


def test_lookup_table_needs_one_source(logs):
    for more in ({}, {"tableBody": "a\n1", "queryId": "q"}):
        refused(lambda: logs.create_lookup_table(lookupTableName="t", **more), "InvalidParameterException",
                "You must specify either tableBody or queryId, but not both.")


def test_destinations(logs):
    made = logs.put_destination(destinationName="d", targetArn=TARGET, roleArn=ROLE, tags={"a": "b"})["destination"]
    assert made["arn"] == f"arn:aws:logs:us-east-1:{logs.account}:destination:d"
    again = logs.put_destination(destinationName="d", targetArn=TARGET + "2", roleArn=ROLE)["destination"]
    assert again["creationTime"] == made["creationTime"]
    logs.put_destination_policy(destinationName="d", accessPolicy='{"Version":"2012-10-17"}')
    shown = logs.describe_destinations(DestinationNamePrefix="d")["destinations"]
    assert shown[0]["accessPolicy"] == '{"Version":"2012-10-17"}' and shown[0]["targetArn"] == TARGET + "2"
    assert logs.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"a": "b"}
    logs.tag_resource(resourceArn=made["arn"], tags={"c": "d"})
    logs.untag_resource(resourceArn=made["arn"], tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"c": "d"}
    refused(lambda: logs.put_destination_policy(destinationName="none", accessPolicy="{}"), "ResourceNotFoundException")
    logs.delete_destination(destinationName="d")
    refused(lambda: logs.delete_destination(destinationName="d"), "ResourceNotFoundException")
    assert logs.describe_destinations()["destinations"] == []


@newest_boto
def test_resource_policies(logs):
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    made = logs.put_resource_policy(policyName="p", policyDocument=document)["resourcePolicy"]
    assert made["policyDocument"] == document and made["policyScope"] == "ACCOUNT"
    for i in range(9):
        logs.put_resource_policy(policyName=f"p{i}", policyDocument=document)
    refused(lambda: logs.put_resource_policy(policyName="q", policyDocument=document), "LimitExceededException", "Resource limit exceeded.")
    logs.put_resource_policy(policyName="p", policyDocument=document)
    assert len(logs.describe_resource_policies()["resourcePolicies"]) == 10
    refused(lambda: logs.delete_resource_policy(policyName="none"), "ResourceNotFoundException", "Policy with name [none] does not exist.")
    logs.delete_resource_policy(policyName="p")
    logs.create_log_group(logGroupName="/g")
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    first = logs.put_resource_policy(policyDocument=document, resourceArn=arn)
    refused(lambda: logs.put_resource_policy(policyDocument=document, resourceArn=arn), "OperationAbortedException")
    second = logs.put_resource_policy(policyDocument=document, resourceArn=arn, expectedRevisionId=first["revisionId"])
    assert second["revisionId"] != first["revisionId"]
    assert len(logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"]) == 1
    refused(lambda: logs.put_resource_policy(policyName="x", policyDocument="no json"), "InvalidParameterException")


def test_deliveries(logs):
    distribution = f"arn:aws:cloudfront::{logs.account}:distribution/E1Q5F5862X9VJ5"
    refused(lambda: logs.put_delivery_source(name="s", resourceArn="arn:aws:nothing:us-east-1:1:x", logType="A"),
            "ResourceNotFoundException", "Cannot access provided service.")
    refused(lambda: logs.put_delivery_source(name="s", resourceArn=distribution, logType="EVENT_LOGS"),
            "ValidationException", " This service is not allowed for this LogSource.")
    source = logs.put_delivery_source(name="s", resourceArn=distribution, logType="ACCESS_LOGS", tags={"k": "v"})["deliverySource"]
    assert source["service"] == "cloudfront" and source["resourceArns"] == [distribution] and source["tags"] == {"k": "v"}
    refused(lambda: logs.put_delivery_source(name="s", resourceArn=distribution + "2", logType="ACCESS_LOGS"), "ConflictException",
            "Update to existing Delivery Source with new ResourceId is not allowed. Please create a new Delivery Source instead.")
    destination = logs.put_delivery_destination(
        name="d", outputFormat="json", deliveryDestinationConfiguration={"destinationResourceArn": "arn:aws:s3:::bucket"})["deliveryDestination"]
    assert destination["deliveryDestinationType"] == "S3"
    refused(lambda: logs.put_delivery_destination(name="d", outputFormat="plain", deliveryDestinationConfiguration={
        "destinationResourceArn": "arn:aws:s3:::bucket"}), "ValidationException",
        start="Update to existing Delivery Destination with new Output Format is not allowed.")
    refused(lambda: logs.put_delivery_destination(name="e", outputFormat="xml"), "ValidationException",
            start="1 validation error detected: Value 'xml' at 'outputFormat' failed to satisfy constraint: Member must satisfy enum value set:")
    made = logs.create_delivery(deliverySourceName="s", deliveryDestinationArn=destination["arn"])["delivery"]
    assert len(made["id"]) == 16 and made["id"].isalnum() and len(made["recordFields"]) == 33
    assert made["s3DeliveryConfiguration"]["suffixPath"] == "AWSLogs/{account-id}/CloudFront/"
    refused(lambda: logs.create_delivery(deliverySourceName="s", deliveryDestinationArn=destination["arn"]), "ConflictException",
            "The specified Delivery already exists")
    refused(lambda: logs.create_delivery(deliverySourceName="none", deliveryDestinationArn=destination["arn"]), "ResourceNotFoundException",
            "Requested Delivery Source does not exist in this account.")
    logs.update_delivery_configuration(id=made["id"], recordFields=["date"])
    assert logs.get_delivery(id=made["id"])["delivery"]["recordFields"] == ["date"]
    assert [d["id"] for d in logs.describe_deliveries()["deliveries"]] == [made["id"]]
    refused(lambda: logs.delete_delivery_source(name="s"), "ConflictException")
    logs.put_delivery_destination_policy(deliveryDestinationName="d", deliveryDestinationPolicy="{}")
    assert logs.get_delivery_destination_policy(deliveryDestinationName="d")["policy"]["deliveryDestinationPolicy"] == "{}"
    logs.delete_delivery_destination_policy(deliveryDestinationName="d")
    logs.delete_delivery(id=made["id"])
    logs.delete_delivery_destination(name="d")
    logs.delete_delivery_source(name="s")
    for missing in (lambda: logs.get_delivery(id="x"), lambda: logs.get_delivery_source(name="s"), lambda: logs.get_delivery_destination(name="d")):
        refused(missing, "ResourceNotFoundException")
    assert logs.describe_delivery_sources()["deliverySources"] == [] == logs.describe_delivery_destinations()["deliveryDestinations"]
    assert logs.describe_configuration_templates()["configurationTemplates"] == []


def test_integrations_and_other_records(logs):
    config = {"openSearchResourceConfig": {"dataSourceRoleArn": ROLE, "dashboardViewerPrincipals": [ROLE], "retentionDays": 5}}
    logs.put_integration(integrationName="i", integrationType="OPENSEARCH", resourceConfig=config)
    assert logs.get_integration(integrationName="i")["integrationStatus"] == "ACTIVE"
    assert [i["integrationName"] for i in logs.list_integrations()["integrationSummaries"]] == ["i"]
    logs.delete_integration(integrationName="i")
    refused(lambda: logs.get_integration(integrationName="i"), "ResourceNotFoundException")


def raw(aws, operation, body):
    """Operations that this botocore does not know."""
    import urllib.error
    import urllib.request
    request = urllib.request.Request(aws.server.url, data=json.dumps(body).encode(), headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Logs_20140328.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={aws.account}/20240101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0"})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def test_newest_operations(aws):
    arn = "arn:aws:observabilityadmin:us-east-1:1:s3tableintegration/x"
    made = raw(aws, "AssociateSourceToS3TableIntegration", {"integrationArn": arn, "dataSource": {"name": "n", "type": "t"}})["identifier"]
    assert raw(aws, "ListSourcesForS3TableIntegration", {"integrationArn": arn})["sources"][0]["status"] == "ACTIVE"
    assert raw(aws, "DisassociateSourceFromS3TableIntegration", {"identifier": made}) == {"identifier": made}
    assert raw(aws, "GetStorageTierPolicy", {})["storageTier"] == "STANDARD"
    raw(aws, "PutStorageTierPolicy", {"storageTier": "INTELLIGENT_TIERING"})
    assert raw(aws, "GetStorageTierPolicy", {})["storageTier"] == "INTELLIGENT_TIERING"
    store = "arn:aws:cloudtrail:us-east-1:1:eventdatastore/abc"
    task = raw(aws, "CreateImportTask", {"importSourceArn": store, "importRoleArn": ROLE})["importId"]
    assert raw(aws, "DescribeImportTasks", {"importId": task})["imports"][0]["importStatus"] == "FAILED"
    assert raw(aws, "CancelImportTask", {"importId": task})["__type"] == "InvalidOperationException"
    assert raw(aws, "DescribeImportTaskBatches", {"importId": task})["importBatches"] == []
    logs = aws("logs")
    logs.create_log_group(logGroupName="/g")
    assert raw(aws, "PutSyslogConfiguration", {"logGroupIdentifier": "/g", "vpcEndpointId": "vpce-12ab"}) == {}
    assert raw(aws, "ListSyslogConfigurations", {})["syslogConfigurations"][0]["vpcEndpointId"] == "vpce-12ab"
    assert raw(aws, "DeleteSyslogConfiguration", {"logGroupIdentifier": "/g", "vpcEndpointId": "vpce-12ab"}) == {}
    assert raw(aws, "ListSyslogConfigurations", {})["syslogConfigurations"] == []
    raw(aws, "PutBearerTokenAuthentication", {"logGroupIdentifier": "/g", "bearerTokenAuthenticationEnabled": True})
    assert raw(aws, "DescribeLogGroups", {})["logGroups"][0]["bearerTokenAuthenticationEnabled"] is True


def test_no_operation_is_missing(aws):
    import urllib.request
    with urllib.request.urlopen(aws.server.url + "/_fogwatch/operations") as answer:
        operations = json.loads(answer.read())["services"]["logs"]
    assert len(operations) == 118
    assert [o["name"] for o in operations if not o["implemented"]] == []
