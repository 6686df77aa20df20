#include "core/ops/settings_request.h"

#include "core/model/refusals.h"
#include "core/ops/arn.h"

namespace millrace {

namespace {

// Of the key that DynamoDB keeps in an account's KMS. There is none here: nothing is encrypted.
constexpr std::string_view kManagedKeyId = "00000000-0000-4000-8000-000000000001";

Status read_units(JsonValue value, std::string_view structure, std::string_view read_name,
                  std::string_view write_name, UnitsMembers& members) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, structure));
  return each_member(object, [&](std::string_view name, JsonValue units) -> Status {
    if (name == read_name) return read_integer(units, "Long", members.read_units);
    if (name == write_name) return read_integer(units, "Long", members.write_units);
    return {};
  });
}

Status read_text(JsonValue value, std::optional<std::string>& out) {
  std::optional<std::string_view> text;
  RETURN_IF_ERROR(read_string(value, text));
  if (text) out = std::string(*text);
  return {};
}

Status read_encryption(JsonValue value, EncryptionMembers& members) {
  ASSIGN_OR_RETURN(JsonObject object, read_structure(value, "SSESpecification"));
  return each_member(object, [&](std::string_view name, JsonValue inner) -> Status {
    if (name == "Enabled") return read_bool(inner, members.enabled);
    if (name == "SSEType") return read_text(inner, members.type);
    if (name == "KMSMasterKeyId") return read_text(inner, members.key);
    return {};
  });
}

Status check_encryption(const EncryptionMembers& members) {
  if (members.enabled == false) {
    if (members.type) return invalid_parameter("SSEType can not be specified if Enabled is false");
    if (members.key)
      return invalid_parameter("KMSMasterKeyId can not be specified if Enabled is false");
    return {};
  }
  if (members.type == "AES256") return invalid_parameter("SSEType AES256 is not supported");
  if (members.key && !members.type)
    return invalid_parameter("SSEType KMS is required if KMSMasterKeyId is specified");
  return {};
}

std::string key_arn(const EncryptionMembers& members, const Catalog& catalog) {
  std::string_view key = members.key ? std::string_view(*members.key) : kManagedKeyId;
  if (is_arn(key)) return std::string(key);
  if (key == "alias/aws/dynamodb") key = kManagedKeyId;
  std::string arn =
      "arn:" + std::string(kPartition) + ":kms:" + catalog.region() + ":" + catalog.account() + ":";
  if (key.substr(0, 6) != "alias/") arn += "key/";
  return arn.append(key);
}

Status apply_encryption(const EncryptionMembers& members, const Catalog& catalog, bool creating,
                        Table& table) {
  if (!members.enabled.value_or(members.type.has_value())) {
    if (!creating && table.settings.kms_key_arn.empty())
      return invalid_parameter("Table is already encrypted by default");
    table.settings.kms_key_arn.clear();
    return {};
  }
  if (!creating && members.key == table.settings.kms_key_arn) {
    return invalid_parameter(
        "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you "
        "want to change Master Key");
  }
  table.settings.kms_key_arn = key_arn(members, catalog);
  return {};
}

void apply_table_class(const std::string& table_class, int64_t now_ms, bool creating,
                       TableSettings& settings) {
  // A table that was never given a class is of the usual one, and does not begin to show it.
  if (!creating && settings.table_class.empty() && table_class == "STANDARD") return;
  settings.table_class = table_class;
  if (!creating) settings.table_class_ms = now_ms;
}

}  // namespace

Status read_on_demand(JsonValue value, UnitsMembers& members) {
  return read_units(value, "OnDemandThroughput", "MaxReadRequestUnits", "MaxWriteRequestUnits",
                    members);
}

Status read_warm(JsonValue value, UnitsMembers& members) {
  return read_units(value, "WarmThroughput", "ReadUnitsPerSecond", "WriteUnitsPerSecond", members);
}

Result<bool> SettingsMembers::read(std::string_view name, JsonValue value) {
  Status status;
  if (name == "TableClass") {
    status = read_text(value, table_class);
  } else if (name == "OnDemandThroughput") {
    status = read_on_demand(value, on_demand);
  } else if (name == "WarmThroughput") {
    status = read_warm(value, warm);
  } else if (name == "SSESpecification") {
    status = read_encryption(value, encryption.emplace());
  } else {
    return false;
  }
  RETURN_IF_ERROR(status);
  return true;
}

void check_constraints(const SettingsMembers& members, Violations& violations) {
  if (!members.encryption) return;
  if (members.encryption->type)
    violations.one_of(*members.encryption->type, "sSESpecification.sSEType", "AES256, KMS");
  violations.not_empty(members.encryption->key, "sSESpecification.kMSMasterKeyId");
}

Status check_settings(const SettingsMembers& members) {
  if (members.table_class && members.table_class != "STANDARD" &&
      members.table_class != "STANDARD_INFREQUENT_ACCESS") {
    return validation_error(
        "Invalid table-class parameter provided. Please try again with a valid table-class value: "
        "[STANDARD, STANDARD_INFREQUENT_ACCESS].");
  }
  return members.encryption ? check_encryption(*members.encryption) : Status{};
}

Status check_table_quota(CapacityUnits units, std::string_view region) {
  auto check = [&](int64_t count, std::string_view name) -> Status {
    if (count <= kTableUnitsMax) return {};
    return make_error(ErrorCode::kLimitExceeded,
                      "The requested " + std::string(name) + ", " + std::to_string(count) +
                          ", is above the per table maximum for the account in " +
                          std::string(region) +
                          ". Per table maximum: " + std::to_string(kTableUnitsMax) +
                          ". Refer to the Amazon DynamoDB Developer Guide for current limits and "
                          "how to request higher limits.");
  };
  RETURN_IF_ERROR(check(units.read, "ReadCapacityUnits"));
  return check(units.write, "WriteCapacityUnits");
}

Status apply_on_demand(const UnitsMembers& members, const ThroughputOwner& owner,
                       ThroughputSettings& settings) {
  auto apply = [&](std::optional<int64_t> units, std::string_view name, std::string_view quota,
                   std::optional<int64_t>& limit) -> Status {
    if (!units) return {};
    const std::string what = std::string(name) + " for OnDemandThroughput";
    if (owner.billing_mode != kPayPerRequest) {
      std::string of_index;
      if (!owner.index.empty())
        of_index = (owner.creating ? " for index: " : " for index : ") + std::string(owner.index);
      return invalid_parameter(what + of_index + " cannot be specified when " +
                               (owner.creating ? "table BillingMode is PROVISIONED."
                                               : "the table BillingMode is PROVISIONED"));
    }
    const bool clears = *units == kOnDemandLimitRemoved && !owner.creating;
    const std::string requested =
        "Requested " + what + " for " +
        (owner.index.empty() ? "table" : "index : " + std::string(owner.index));
    if (*units < 1 && !clears) return invalid_parameter(requested + " is outside of valid range");
    if (*units > kTableUnitsMax) {
      return make_error(ErrorCode::kLimitExceeded, "Subscriber limit exceeded: " + requested +
                                                       " exceeds " + std::string(quota) +
                                                       " of the account in region " +
                                                       std::string(owner.region));
    }
    limit = clears ? std::nullopt : units;
    return {};
  };
  RETURN_IF_ERROR(apply(members.read_units, "MaxReadRequestUnits", "TableMaxReadCapacityUnits",
                        settings.on_demand.read));
  return apply(members.write_units, "MaxWriteRequestUnits", "TableMaxWriteCapacityUnits",
               settings.on_demand.write);
}

Status apply_warm(const UnitsMembers& members, const ThroughputOwner& owner,
                  ThroughputSettings& settings) {
  const CapacityUnits now = settings.warm_units(owner.billing_mode, owner.units);
  auto apply = [&](std::optional<int64_t> units, int64_t least, std::string_view name,
                   std::string_view provisioned, int64_t& warm) -> Status {
    if (!units) return {};
    if (*units >= least) {
      warm = *units;
      return {};
    }
    std::string text = "Requested " + std::string(name) + " for WarmThroughput for " +
                       (owner.index.empty() ? "table" : "index " + std::string(owner.index)) +
                       " is lower than ";
    if (!owner.creating) {
      text += "current WarmThroughput, decreasing WarmThroughput is not supported";
    } else if (owner.billing_mode == kPayPerRequest) {
      text +=
          "initial throughput for OnDemand. See: "
          "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
          "on-demand-capacity-mode.html#on-demand-capacity-mode-initial";
    } else {
      text.append(provisioned).append(" of ProvisionedThroughput");
    }
    return invalid_parameter(text);
  };
  RETURN_IF_ERROR(apply(members.read_units, now.read, "ReadUnitsPerSecond", "ReadCapacityUnits",
                        settings.warm.read));
  return apply(members.write_units, now.write, "WriteUnitsPerSecond", "WriteCapacityUnits",
               settings.warm.write);
}

Status apply_settings(const SettingsMembers& members, const Catalog& catalog, int64_t now_ms,
                      bool creating, Table& table) {
  const CapacityUnits units{table.read_units, table.write_units};
  if (creating) RETURN_IF_ERROR(check_table_quota(units, catalog.region()));
  const ThroughputOwner owner{table.billing_mode, units, {}, catalog.region(), creating};
  RETURN_IF_ERROR(apply_on_demand(members.on_demand, owner, table.settings.throughput));
  RETURN_IF_ERROR(apply_warm(members.warm, owner, table.settings.throughput));
  if (members.encryption)
    RETURN_IF_ERROR(apply_encryption(*members.encryption, catalog, creating, table));
  if (members.table_class)
    apply_table_class(*members.table_class, now_ms, creating, table.settings);
  return {};
}

}  // namespace millrace
