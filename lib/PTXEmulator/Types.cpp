//===- Types.cpp - Names of types and of special registers ----------------===//

#include "Syntax.h"

#include <utility>

using namespace weft::ptx;

namespace {

struct TypeInfo {
  std::string_view name;
  Type type;
  uint8_t bits;
};

constexpr TypeInfo kTypes[] = {
    {"pred", Type::Pred, 1},      {"b8", Type::B8, 8},
    {"b16", Type::B16, 16},       {"b32", Type::B32, 32},
    {"b64", Type::B64, 64},       {"b128", Type::B128, 128},
    {"u8", Type::U8, 8},          {"u16", Type::U16, 16},
    {"u32", Type::U32, 32},       {"u64", Type::U64, 64},
    {"s8", Type::S8, 8},          {"s16", Type::S16, 16},
    {"s32", Type::S32, 32},       {"s64", Type::S64, 64},
    {"f16", Type::F16, 16},       {"f16x2", Type::F16x2, 32},
    {"bf16", Type::BF16, 16},     {"bf16x2", Type::BF16x2, 32},
    {"tf32", Type::TF32, 32},     {"f32", Type::F32, 32},
    {"f64", Type::F64, 64},       {"e4m3", Type::E4M3, 8},
    {"e5m2", Type::E5M2, 8},      {"e4m3x2", Type::E4M3x2, 16},
    {"e5m2x2", Type::E5M2x2, 16},
};

constexpr std::pair<std::string_view, Special> kSpecials[] = {
    {"%tid.x", Special::TidX},
    {"%tid.y", Special::TidY},
    {"%tid.z", Special::TidZ},
    {"%ntid.x", Special::NTidX},
    {"%ntid.y", Special::NTidY},
    {"%ntid.z", Special::NTidZ},
    {"%ctaid.x", Special::CtaIdX},
    {"%ctaid.y", Special::CtaIdY},
    {"%ctaid.z", Special::CtaIdZ},
    {"%nctaid.x", Special::NCtaIdX},
    {"%nctaid.y", Special::NCtaIdY},
    {"%nctaid.z", Special::NCtaIdZ},
    {"%laneid", Special::LaneId},
    {"%warpid", Special::WarpId},
    {"%nwarpid", Special::NWarpId},
    {"%smid", Special::SmId},
    {"%nsmid", Special::NSmId},
    {"%gridid", Special::GridId},
    {"%lanemask_eq", Special::LaneMaskEq},
    {"%lanemask_le", Special::LaneMaskLe},
    {"%lanemask_lt", Special::LaneMaskLt},
    {"%lanemask_ge", Special::LaneMaskGe},
    {"%lanemask_gt", Special::LaneMaskGt},
    {"%clusterid.x", Special::ClusterIdX},
    {"%clusterid.y", Special::ClusterIdY},
    {"%clusterid.z", Special::ClusterIdZ},
    {"%nclusterid.x", Special::NClusterIdX},
    {"%nclusterid.y", Special::NClusterIdY},
    {"%nclusterid.z", Special::NClusterIdZ},
    {"%cluster_ctaid.x", Special::ClusterCtaIdX},
    {"%cluster_ctaid.y", Special::ClusterCtaIdY},
    {"%cluster_ctaid.z", Special::ClusterCtaIdZ},
    {"%cluster_nctaid.x", Special::ClusterNCtaIdX},
    {"%cluster_nctaid.y", Special::ClusterNCtaIdY},
    {"%cluster_nctaid.z", Special::ClusterNCtaIdZ},
    {"%cluster_ctarank", Special::ClusterCtaRank},
    {"%cluster_nctarank", Special::ClusterNCtaRank},
    {"%is_explicit_cluster", Special::IsExplicitCluster},
    {"%dynamic_smem_size", Special::DynamicSmemSize},
    {"%total_smem_size", Special::TotalSmemSize},
    {"%aggr_smem_size", Special::TotalSmemSize},
};

} // namespace

Type weft::ptx::typeNamed(std::string_view name) {
  for (const TypeInfo &info : kTypes)
    if (info.name == name)
      return info.type;
  return Type::None;
}

unsigned weft::ptx::bitsOf(Type type) {
  for (const TypeInfo &info : kTypes)
    if (info.type == type)
      return info.bits;
  return 0;
}

bool weft::ptx::isSigned(Type type) {
  return type >= Type::S8 && type <= Type::S64;
}

bool weft::ptx::isFloat(Type type) { return type >= Type::F16; }

bool weft::ptx::specialNamed(std::string_view name, Special &special,
                             Type &type) {
  for (auto [known, kind] : kSpecials)
    if (known == name) {
      special = kind;
      type = kind == Special::GridId ? Type::U64 : Type::U32;
      return true;
    }
  if (!name.starts_with("%envreg"))
    return false;
  special = Special::Zero;
  type = Type::U32;
  return true;
}
