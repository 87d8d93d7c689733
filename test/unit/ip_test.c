/* ip_test.c - addresses, networks, and what is public: by the registries' rows and both spellings.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/ip.h"

static struct ip ip_of(const char *text)
{
  struct ip ip = {{0}};
  EXPECT(ip_read(slice_str(text), &ip));
  return ip;
}

TEST(addresses_are_written_as_they_are_read)
{
  static const char *const texts[] = {"10.1.2.3", "0.0.0.0", "2001:db8::1", "::1", "::"};
  char text[IP_TEXT_MAX];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct ip ip = ip_of(texts[i]);
    EXPECT_INT(ip_text(&ip, text), strlen(texts[i]));
    EXPECT_STR(text, texts[i]);
  }
  struct ip dots = ip_of("10.1.2.3"), mapped = ip_of("::ffff:10.1.2.3");
  EXPECT(memcmp(&dots, &mapped, sizeof dots) == 0);
}

TEST(what_is_no_address_is_refused)
{
  static const char *const texts[] = {"",        "10.1.2",     "10.1.2.3.4", "256.1.1.1", "1",
                                      "0x7f.1",  "fe80::1%lo", "[::1]",      "::1 ",      " 1.1.1.1",
                                      "1.1.1.1:80", "localhost", "01.1.1.1"};
  struct ip ip;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    EXPECT(!ip_read(slice_str(texts[i]), &ip));
  EXPECT(!ip_read(SLICE("1.1.1.1\0"), &ip));
}

TEST(a_network_holds_its_addresses_and_no_others)
{
  static const struct {
    const char *net, *in, *out;
  } rows[] = {
      {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
      {"10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"},
      {"192.168.4.0/22", "192.168.7.255", "192.168.8.0"},
      {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
      {"192.0.2.7/32", "192.0.2.7", "192.0.2.8"},
      {"0.0.0.0/0", "255.1.2.3", "2001:db8::1"},
      {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
      {"::/0", "127.0.0.1", NULL},
      {"fe80::1", "fe80::1", "fe80::2"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct cidr cidr;
    EXPECT(cidr_read(slice_str(rows[i].net), &cidr));
    struct ip in = ip_of(rows[i].in);
    EXPECT(cidr_holds(&cidr, &in));
    if (!rows[i].out) continue;
    struct ip out = ip_of(rows[i].out);
    EXPECT(!cidr_holds(&cidr, &out));
  }
}

TEST(networks_with_a_slip_are_refused)
{
  static const char *const texts[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08",
                                      "/8",         "::1/64",      "::/129",    "10.0.0.0/-1"};
  struct cidr cidr, list[CIDRS_MAX];
  uint32_t n;
  struct err err;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    EXPECT(!cidr_read(slice_str(texts[i]), &cidr));
  EXPECT_INT(cidrs_read(SLICE("10.0.0.0/8,::1"), list, &n, &err), OK);
  EXPECT_INT(n, 2);
  EXPECT_INT(cidrs_read(SLICE(""), list, &n, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(cidrs_read(SLICE("::1,"), list, &n, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(cidrs_read(SLICE("::1,,::2"), list, &n, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(cidrs_read(SLICE("::1,::1,::1,::1,::1,::1,::1,::1"), list, &n, &err), OK);
  EXPECT_INT(cidrs_read(SLICE("::1,::1,::1,::1,::1,::1,::1,::1,::1"), list, &n, &err),
             E_INVALID_ARGUMENT);
}

TEST(only_what_is_given_out_to_the_public_is_public)
{
  static const char *const closed[] = {
      "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
      "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.0.1",
      "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
      "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
      "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "fc00::1", "fd00:ec2::254",
      "fe80::1", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:a9fe:a9fe::1",
      "2001:10::1", "2001:20::1", "3fff::1", "4000::1"};
  static const char *const open[] = {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0",
                                     "172.15.0.1", "172.32.0.1", "169.253.0.1", "192.0.1.1",
                                     "198.17.0.1", "198.20.0.1", "223.255.255.255",
                                     "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1",
                                     "2003::1", "2001:200::1"};
  for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
    struct ip ip = ip_of(closed[i]);
    if (ip_is_public(&ip)) printf("%s\n", closed[i]);
    EXPECT(!ip_is_public(&ip));
  }
  for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
    struct ip ip = ip_of(open[i]);
    if (!ip_is_public(&ip)) printf("%s\n", open[i]);
    EXPECT(ip_is_public(&ip));
  }
}

TEST(loopback_is_127_of_any_spelling_and_1_of_six)
{
  static const struct {
    const char *text;
    bool is;
  } cases[] = {{"127.0.0.1", true},  {"127.255.0.9", true}, {"::ffff:127.0.0.1", true},
               {"::1", true},        {"128.0.0.1", false},  {"10.0.0.1", false},
               {"::2", false},       {"7f00::1", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ip ip;
    EXPECT(ip_read(slice_str(cases[i].text), &ip));
    EXPECT_INT(ip_is_loopback(&ip), cases[i].is);
  }
}
