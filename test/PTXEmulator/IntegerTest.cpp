//===- IntegerTest.cpp - Instructions on integers and bits ----------------===//

#include "Scalar.h"

#include <algorithm>

using namespace weft::ptx::test;

namespace {

__extension__ typedef __int128 Wide;

class IntegerTest : public ScalarTest {};

int64_t s32(uint64_t value) { return int32_t(value); }
int64_t s16(uint64_t value) { return int16_t(value); }
uint64_t u32(int64_t value) { return uint32_t(value); }

TEST_F(IntegerTest, sums) {
  check("add.u32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return u32(a + b); });
  check("sub.s32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return u32(a - b); });
  check("add.s64 d64, a64, b64;", integers(64),
        [](auto a, auto b, auto) { return a + b; });
  check("sub.s16 dh, ah, bh;", integers(16),
        [](auto a, auto b, auto) { return uint16_t(a - b); });
  check("add.sat.s32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    return u32(std::clamp<int64_t>(s32(a) + s32(b), INT32_MIN, INT32_MAX));
  });
  check("sub.sat.s32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    return u32(std::clamp<int64_t>(s32(a) - s32(b), INT32_MIN, INT32_MAX));
  });
  check("abs.s32 d, a;", integers(32),
        [](auto a, auto, auto) { return u32(s32(a) < 0 ? -s32(a) : s32(a)); });
  check("neg.s64 d64, a64;", integers(64),
        [](auto a, auto, auto) { return uint64_t(0) - a; });
}

TEST_F(IntegerTest, products) {
  check("mul.lo.s32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return u32(s32(a) * s32(b)); });
  check("mul.hi.s32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return u32(s32(a) * s32(b) >> 32); });
  check("mul.hi.u32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return a * b >> 32; });
  check("mul.wide.s32 d64, a, b;", integers(32),
        [](auto a, auto b, auto) { return uint64_t(s32(a) * s32(b)); });
  check("mul.wide.u16 d, ah, bh;", integers(16),
        [](auto a, auto b, auto) { return a * b; });
  check("mul.wide.s16 d, ah, bh;", integers(16),
        [](auto a, auto b, auto) { return u32(s16(a) * s16(b)); });
  check("mul.hi.s64 d64, a64, b64;", integers(64), [](auto a, auto b, auto) {
    return uint64_t(Wide(int64_t(a)) * int64_t(b) >> 64);
  });
  check("mad.lo.s32 d, a, b, c;", integers(32),
        [](auto a, auto b, auto c) { return u32(a * b + c); });
  check("mad.hi.u32 d, a, b, c;", integers(32),
        [](auto a, auto b, auto c) { return u32((a * b >> 32) + c); });
  check("mad.wide.s32 d64, a, b, c64;", integers(32),
        [](auto a, auto b, auto c) { return uint64_t(s32(a) * s32(b)) + c; });
  check("mad.lo.u16 dh, ah, bh, ch;", integers(16),
        [](auto a, auto b, auto c) { return uint16_t(a * b + c); });
  check("mul24.lo.s32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    auto low = [](uint64_t x) { return s32(x << 8) / 256; };
    return u32(low(a & 0xffffff) * low(b & 0xffffff));
  });
  check("mad24.hi.u32 d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    return u32(((a & 0xffffff) * (b & 0xffffff) >> 16) + c);
  });
}

TEST_F(IntegerTest, quotients) {
  std::vector<Operands> cases = integers(32), nonZero;
  for (Operands each : cases)
    if (each.b && !(each.a == 0x80000000 && each.b == 0xffffffff))
      nonZero.push_back(each);
  check("div.s32 d, a, b;", nonZero,
        [](auto a, auto b, auto) { return u32(s32(a) / s32(b)); });
  check("rem.s32 d, a, b;", nonZero,
        [](auto a, auto b, auto) { return u32(s32(a) % s32(b)); });
  check("div.u32 d, a, b;", nonZero,
        [](auto a, auto b, auto) { return a / b; });
  check("rem.u64 d64, a64, b64;", nonZero,
        [](auto a, auto b, auto) { return a % b; });
}

TEST_F(IntegerTest, extremes) {
  check("min.s32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return s32(a) < s32(b) ? a : b; });
  check("max.u32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return std::max(a, b); });
  check("min.u64 d64, a64, b64;", integers(64),
        [](auto a, auto b, auto) { return std::min(a, b); });
  check("max.s16x2 d, a, b;", integers(32), [](auto a, auto b, auto) {
    auto half = [](uint64_t x, uint64_t y) {
      return uint64_t(uint16_t(std::max(s16(x), s16(y))));
    };
    return half(a, b) | half(a >> 16, b >> 16) << 16;
  });
  check("sad.u32 d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    return u32(c + (a > b ? a - b : b - a));
  });
}

TEST_F(IntegerTest, carries) {
  // 128 bits in four parts.
  check("add.cc.u32 t, a, b;\naddc.u32 d, 0, 0;", integers(32),
        [](auto a, auto b, auto) { return (a + b) >> 32; });
  check("sub.cc.u32 t, a, b;\nsubc.u32 d, 0, 0;", integers(32),
        [](auto a, auto b, auto) { return a < b ? 0xffffffff : 0; });
  check("add.cc.u64 d64, a64, b64;\naddc.cc.u64 d64, a64, b64;\n"
        "addc.u64 d64, 0, 0;",
        integers(64), [](auto a, auto b, auto) {
          unsigned carry = a + b < a;
          uint64_t sum = a + b;
          return (sum < a) || (sum + carry < sum) ? 1u : 0u;
        });
  check("mad.lo.cc.u32 t, a, b, c;\nmadc.hi.u32 d, a, b, 0;", integers(32),
        [](auto a, auto b, auto c) { return (a * b + c) >> 32; });
}

TEST_F(IntegerTest, dots) {
  check("dp4a.s32.u32 d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    int64_t sum = s32(c);
    for (int i = 0; i < 4; ++i)
      sum += int64_t(int8_t(a >> (8 * i))) * uint8_t(b >> (8 * i));
    return u32(sum);
  });
  check("dp2a.hi.u32.s32 d, a, b, c;", integers(32),
        [](auto a, auto b, auto c) {
          int64_t sum = s32(c) + int64_t(a & 0xffff) * int8_t(b >> 16) +
                        int64_t(a >> 16) * int8_t(b >> 24);
          return u32(sum);
        });
}

TEST_F(IntegerTest, shifts) {
  check("shl.b32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return b > 31 ? 0 : u32(a << b); });
  check("shr.u32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return b > 31 ? 0 : a >> b; });
  check("shr.s32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    return u32(s32(a) >> std::min<uint64_t>(b, 31));
  });
  check("shl.b64 d64, a64, b;", integers(64), [](auto a, auto b, auto) {
    return uint32_t(b) > 63 ? 0 : a << uint32_t(b);
  });
  check("shr.s16 dh, ah, b;", integers(16), [](auto a, auto b, auto) {
    return uint16_t(s16(a) >> std::min<uint64_t>(b, 15));
  });
  check("shf.l.wrap.b32 d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    uint64_t both = b << 32 | a;
    return u32(both << (c % 32) >> 32);
  });
  check("shf.r.clamp.b32 d, a, b, c;", integers(32),
        [](auto a, auto b, auto c) {
          uint64_t both = b << 32 | a;
          return u32(both >> std::min<uint64_t>(c, 32));
        });
}

TEST_F(IntegerTest, logic) {
  check("and.b32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return a & b; });
  check("or.b64 d64, a64, b64;", integers(64),
        [](auto a, auto b, auto) { return a | b; });
  check("xor.b16 dh, ah, bh;", integers(16),
        [](auto a, auto b, auto) { return a ^ b; });
  check("not.b32 d, a;", integers(32),
        [](auto a, auto, auto) { return ~a & 0xffffffff; });
  check("cnot.b32 d, a;", integers(32),
        [](auto a, auto, auto) { return a == 0; });
  // The table of (a & b) ^ ~c from those of a, b and c.
  unsigned table = ((0xf0 & 0xcc) ^ ~0xaau) & 0xff;
  check("lop3.b32 d, a, b, c, " + std::to_string(table) + ";", integers(32),
        [](auto a, auto b, auto c) { return u32((a & b) ^ ~c); });
  check("setp.ne.u32 q, c, 0;\nlop3.or.b32 t|p, a, b, c, 128, q;\n"
        "selp.b32 d, 1, 0, p;",
        integers(32),
        [](auto a, auto b, auto c) { return (a & b & c) != 0 || c != 0; });
  check("setp.lt.u32 p, a, b;\nsetp.lt.u32 q, b, c;\nxor.pred p, p, q;\n"
        "not.pred q, p;\nand.pred p, q, q;\nselp.b32 d, a, b, p;",
        integers(32),
        [](auto a, auto b, auto c) { return (a < b) == (b < c) ? a : b; });
}

TEST_F(IntegerTest, searches) {
  check("popc.b32 d, a;", integers(32), [](auto a, auto, auto) {
    int count = 0;
    for (; a; a >>= 1)
      count += a & 1;
    return count;
  });
  check("clz.b64 d, a64;", integers(64), [](auto a, auto, auto) {
    int count = 0;
    for (; count < 64 && !(a >> 63); a <<= 1)
      ++count;
    return count;
  });
  check("brev.b32 d, a;", integers(32), [](auto a, auto, auto) {
    uint64_t result = 0;
    for (int i = 0; i < 32; ++i)
      result = result << 1 | (a >> i & 1);
    return result;
  });
  check("bfind.s32 d, a;", integers(32), [](auto a, auto, auto) {
    bool negative = s32(a) < 0;
    for (int i = 30; i >= 0; --i)
      if ((a >> i & 1) != negative)
        return uint64_t(i);
    return uint64_t(0xffffffff);
  });
  check("bfind.shiftamt.u32 d, a;", integers(32), [](auto a, auto, auto) {
    for (int i = 31; i >= 0; --i)
      if (a >> i & 1)
        return uint64_t(31 - i);
    return uint64_t(0xffffffff);
  });
  check("and.b32 b, b, 31;\nfns.b32 d, a, b, 2;", integers(32),
        [](auto a, auto b, auto) {
          int left = 2;
          for (int i = b & 31; i < 32; ++i)
            if (a >> i & 1 && --left == 0)
              return uint64_t(i);
          return uint64_t(0xffffffff);
        });
}

TEST_F(IntegerTest, fields) {
  auto extract = [](uint64_t a, uint64_t b, uint64_t c, bool sign) {
    unsigned position = b & 255, length = c & 255;
    uint64_t result = 0;
    bool last = sign && length && a >> std::min(position + length - 1, 31u) & 1;
    for (unsigned i = 0; i < 32; ++i) {
      bool bit =
          i < length && position + i < 32 ? a >> (position + i) & 1 : last;
      result |= uint64_t(bit) << i;
    }
    return result;
  };
  check("bfe.u32 d, a, b, c;", integers(32),
        [=](auto a, auto b, auto c) { return extract(a, b, c, false); });
  check("bfe.s32 d, a, b, c;", integers(32),
        [=](auto a, auto b, auto c) { return extract(a, b, c, true); });
  check("and.b32 t, c, 63;\nbfi.b32 d, a, b, t, 5;", integers(32),
        [](auto a, auto b, auto c) {
          for (unsigned i = 0; i < 5; ++i) {
            unsigned at = (c & 63) + i;
            if (at < 32)
              b = (b & ~(uint64_t(1) << at)) | (a >> i & 1) << at;
          }
          return b;
        });
  check("bmsk.clamp.b32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    uint64_t result = 0;
    for (uint64_t i = 0; i < 32; ++i)
      if (i >= a && i - a < b)
        result |= uint64_t(1) << i;
    return result;
  });
  check("szext.wrap.s32 d, a, b;", integers(32), [](auto a, auto b, auto) {
    unsigned n = b % 32;
    return n ? u32(s32(a << (32 - n)) >> (32 - n)) : 0;
  });
}

TEST_F(IntegerTest, permutations) {
  check("prmt.b32 d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i)
      bytes[i] = uint8_t((i < 4 ? a : b) >> (8 * (i % 4)));
    uint64_t result = 0;
    for (int i = 0; i < 4; ++i) {
      unsigned pick = c >> (4 * i) & 15;
      uint64_t byte = bytes[pick % 8];
      if (pick > 7)
        byte = byte > 127 ? 255 : 0;
      result |= byte << (8 * i);
    }
    return result;
  });
  check("prmt.b32.f4e d, a, b, c;", integers(32), [](auto a, auto b, auto c) {
    return u32((b << 32 | a) >> (8 * (c & 3)));
  });
  check("prmt.b32.rc16 d, a, b, c;", integers(32), [](auto a, auto, auto c) {
    uint64_t half = a >> (16 * (c & 1)) & 0xffff;
    return half | half << 16;
  });
}

TEST_F(IntegerTest, comparisons) {
  auto flag = [this](const std::string &comparison, unsigned bits,
                     const char *operands, auto holds) {
    check("setp." + comparison + " p, " + operands + ";\nselp.b32 d, 1, 0, p;",
          integers(bits), [=](auto a, auto b, auto) { return holds(a, b); });
  };
  flag("lt.s32", 32, "a, b", [](auto a, auto b) { return s32(a) < s32(b); });
  flag("lo.u32", 32, "a, b", [](auto a, auto b) { return a < b; });
  flag("hs.u64", 64, "a64, b64", [](auto a, auto b) { return a >= b; });
  flag("ge.s16", 16, "ah, bh", [](auto a, auto b) { return s16(a) >= s16(b); });
  flag("eq.b32", 32, "a, b", [](auto a, auto b) { return a == b; });
  check("setp.lt.u32 q, b, c;\nsetp.gt.and.u32 p|q, a, b, !q;\n"
        "selp.b32 d, 2, 0, p;\nselp.b32 t, 1, 0, q;\nor.b32 d, d, t;",
        integers(32), [](auto a, auto b, auto c) {
          return (a > b && b >= c ? 2 : 0) + (a <= b && b >= c ? 1 : 0);
        });
  check("set.le.u32.s32 d, a, b;", integers(32),
        [](auto a, auto b, auto) { return s32(a) <= s32(b) ? 0xffffffff : 0; });
  check("slct.b32.s32 d, a, b, c;", integers(32),
        [](auto a, auto b, auto c) { return s32(c) >= 0 ? a : b; });
}

TEST_F(IntegerTest, moves) {
  check("mov.b64 {t, u}, a64;\nmov.b64 d64, {u, t};", integers(64),
        [](auto a, auto, auto) { return a << 32 | a >> 32; });
  check("mov.b32 {ah, bh}, a;\nmov.b32 d, {bh, ah};", integers(32),
        [](auto a, auto, auto) { return u32(a << 16 | a >> 16); });
  check("mov.b64 {ah, bh, ch, dh}, a64;\nmov.b64 d64, {ah, ah, ch, bh};\n"
        "mov.u16 dh, 0;",
        integers(64), [](auto a, auto, auto) {
          uint64_t h[3] = {a & 0xffff, a >> 16 & 0xffff, a >> 32 & 0xffff};
          return h[0] | h[0] << 16 | h[2] << 32 | h[1] << 48;
        });
}

} // namespace
