// The columns inside a block, without the checksums around them.
#include "storage/segments/column_codec.h"

#include "storage/base/bytes.h"
#include "storage/segments/token_filter.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace segments;

FOG_FUZZ(column_codec) {
  if (input.size() < 2) return;
  const auto encoding = static_cast<Encoding>(static_cast<unsigned char>(input[0]) % 6);
  const std::size_t n = static_cast<unsigned char>(input[1]);
  const std::string_view bytes = input.substr(2);
  const auto times = [n] { return std::vector<std::int64_t>(n, 1'787'184'000'000); };
  LogColumn column;
  if (decode_column(encoding, bytes, n, times, column)) {
    column.rows = n;
    column.all_present = true;
    (void)fill_doubles(column);
    std::string text;
    for (std::size_t row = 0; row < n; ++row) column.append_text(row, text);
  }
  ByteReader ints(bytes), texts(bytes), codes8(bytes), codes16(bytes);
  std::vector<std::int64_t> values;
  (void)decode_ints(ints, n, values);
  std::vector<std::uint32_t> offsets;
  std::string together;
  (void)decode_texts(texts, n, offsets, together);
  std::vector<std::uint8_t> small;
  (void)decode_codes(codes8, n, 3, true, small);
  std::vector<std::uint16_t> large;
  (void)decode_codes(codes16, n, 300, false, large);
}

FOG_FUZZ_SEEDS(column_codec) {
  std::vector<std::string> out;
  const std::vector<std::vector<std::string_view>> columns = {
      {"200", "404", "200", "-17"}, {"1.25", "100.5", "7"}, {"2026-08-20T00:00:00.001Z", "2026-08-20T00:00:01.002Z"}, {"INFO", "INFO", "WARN", "INFO"},
      {"some text", "other text", ""}, {"6d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f", "7d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f"}, {"same", "same"}};
  for (const auto& values : columns) {
    TokenSet tokens;
    const EncodedColumn made = encode_column(values, [&] { return std::vector<std::int64_t>(values.size(), 1'787'184'000'000); }, true, &tokens);
    out.push_back(std::string{static_cast<char>(made.encoding), static_cast<char>(values.size())} + made.bytes);
  }
  return out;
}

}  // namespace fog::fuzz
