/* codec_simdjson.cc - the reference of bench/codec_bench.c: simdjson reading the same floats.
 * It does less than wire/infer/infer.h, as its users would: no duplicate keys, no shape check,
 * doubles rounded twice. Version 3.0 has the On Demand front end.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include <simdjson.h>

using namespace simdjson;

extern "C" size_t codec_simdjson(const char *json, size_t len, size_t padded, float *to, size_t max)
{
  static ondemand::parser parser;
  size_t n = 0;
  ondemand::document doc;
  if (parser.iterate(padded_string_view(json, len, padded)).get(doc)) return 0;
  ondemand::array inputs;
  if (doc["inputs"].get_array().get(inputs)) return 0;
  for (auto input : inputs) {
    std::string_view name, type;
    ondemand::array shape, data;
    if (input["name"].get_string().get(name) || input["shape"].get_array().get(shape)) return 0;
    for (auto dim : shape) {
      int64_t value;
      if (dim.get_int64().get(value)) return 0;
    }
    if (input["datatype"].get_string().get(type) || input["data"].get_array().get(data)) return 0;
    for (auto element : data) {
      double value;
      if (n == max || element.get_double().get(value)) return 0;
      to[n++] = static_cast<float>(value);
    }
  }
  return n;
}
