// Requests that may be for services next door, read by hand.
#include "api/neighbours/request.h"
#include "server/http_head.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(neighbours) {
  const auto end = http::find_head_end(input, 0);
  http::Head head;
  if (end.end == 0 || http::parse_head(input.substr(0, end.end), head)) return;
  http::Request request;
  request.method = head.method;
  request.target = head.target;
  request.headers = head.headers;
  request.body = input.substr(end.end);
  (void)fog::neighbours::neighbour_of(request);
  const auto scope = fog::neighbours::scope_of(request);
  (void)fog::neighbours::account_in_key(scope.access_key);
  for (const char* name : {"Action", "RoleArn", "AccessKeyId"}) (void)fog::neighbours::escape_xml(fog::neighbours::parameter(request, name));
}

FOG_FUZZ_SEEDS(neighbours) {
  return {"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 Credential=LSIAQAAAAAAAIOSFODNN/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nAction=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=LSIAQAAAAAAAIOSFODNN",
          "GET /?Action=DescribeRegions&Version=2016-11-15 HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: ResourceGroupsTaggingAPI_20170126.GetResources\r\n\r\n{}"};
}

}  // namespace fog::fuzz
