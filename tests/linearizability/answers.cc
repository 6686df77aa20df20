#include "answers.h"

#include <boost/json.hpp>

namespace millrace::linearizability {

namespace {

namespace json = boost::json;

Value number_of(const json::value& attribute) {
  return std::stoll(std::string(attribute.at("N").as_string()));
}

/// The one value of an item, or of what was updated of it.
Value value_of(const json::value& item) {
  const Value value = number_of(item.at("v"));
  const json::value* copy = item.as_object().if_contains("c");
  if (copy == nullptr || number_of(*copy) != value) {
    throw std::runtime_error("half of a write: " + json::serialize(item));
  }
  return value;
}

Value value_in(const json::value& holder, std::string_view member) {
  const json::value* item = holder.as_object().if_contains(member);
  return item == nullptr ? kAbsent : value_of(*item);
}

class Reader {
 public:
  Reader(Request& request, LastSeen& last_seen) : request_(request), last_seen_(last_seen) {}

  void done(const json::value& answer) {
    for (Operation& one : request_.operations) one.outcome = Outcome::kDone;
    Operation& first = request_.operations[0];
    switch (request_.form) {
      case Form::kRead:
        return see(first.steps[0], value_in(answer, "Item"));
      case Form::kWrite:
        return written(first, answer);
      case Form::kCollection:
        return collection(first, answer.at("Items").as_array());
      case Form::kBatchRead:
        return batch(answer);
      case Form::kBatchWrite:
        return require(answer.at("UnprocessedItems").as_object().empty(), "no unprocessed items");
      case Form::kTransactRead:
        for (size_t i = 0; i < first.steps.size(); ++i) {
          see(first.steps[i], value_in(answer.at("Responses").as_array().at(i), "Item"));
        }
        return;
      case Form::kTransactWrite:
        for (const Step& step : first.steps) told(step);
        return;
    }
  }

  void refused(const json::value& answer) {
    Operation& operation = request_.operations[0];
    operation.outcome = Outcome::kRefused;
    operation.steps[0].refused = true;
    if (request_.tells_old_when_refused) see(operation.steps[0], value_in(answer, "Item"));
  }

  void cancelled(const json::value& answer) {
    Operation& operation = request_.operations[0];
    operation.outcome = Outcome::kRefused;
    const json::array& reasons = answer.at("CancellationReasons").as_array();
    require(reasons.size() == operation.steps.size(), "a reason for each item");
    for (size_t i = 0; i < reasons.size(); ++i) {
      const json::string& code = reasons[i].at("Code").as_string();
      if (code == "None") continue;
      require(code == "ConditionalCheckFailed", "a condition as the reason");
      operation.steps[i].refused = true;
      see(operation.steps[i], value_in(reasons[i], "Item"));
    }
  }

 private:
  static void require(bool good, const char* what) {
    if (!good) throw std::runtime_error(std::string("expected ") + what);
  }

  void see(Step& step, Value value) {
    step.before = value;
    tell(step.member, value);
  }
  void tell(int member, Value value) {
    last_seen_.of(request_.operations[0].group, member) = value;
  }
  void told(const Step& step) {
    if (step.effect == Effect::kPut) tell(step.member, step.value);
    if (step.effect == Effect::kDelete) tell(step.member, kAbsent);
  }

  void written(Operation& operation, const json::value& answer) {
    Step& step = operation.steps[0];
    if (request_.tells_old) step.before = value_in(answer, "Attributes");
    if (request_.tells_new) {
      step.after = value_in(answer, "Attributes");
      return tell(step.member, *step.after);
    }
    told(step);
  }

  void collection(Operation& operation, const json::array& items) {
    for (Step& step : operation.steps) step.before = kAbsent;
    for (const json::value& item : items) {
      const Value member = number_of(item.at("sk"));
      bool expected = false;
      for (Step& step : operation.steps) {
        if (step.member != member) continue;
        require(step.before == kAbsent, "an item once in a page");
        expected = true;
        see(step, value_of(item));
      }
      require(expected, "items of the range");
    }
  }

  void batch(const json::value& answer) {
    require(answer.at("UnprocessedKeys").as_object().empty(), "no unprocessed keys");
    for (Operation& one : request_.operations) one.steps[0].before = kAbsent;
    for (const auto& table : answer.at("Responses").as_object()) {
      for (const json::value& item : table.value().as_array()) {
        const Value member = number_of(item.at("sk"));
        for (Operation& one : request_.operations) {
          if (one.steps[0].member == member) see(one.steps[0], value_of(item));
        }
      }
    }
  }

  Request& request_;
  LastSeen& last_seen_;
};

}  // namespace

Reading take_answer(const Connection::Answer& answer, Request& request, LastSeen& last_seen,
                    std::string& why) {
  if (answer.status == 503) return Reading::kUnknown;
  try {
    const json::value body = json::parse(answer.body);
    Reader reader(request, last_seen);
    if (answer.status == 200) {
      reader.done(body);
      return Reading::kTold;
    }
    const json::string& name = body.at("__type").as_string();
    const std::string_view type = std::string_view(name).substr(name.find('#') + 1);
    if (type == "ConditionalCheckFailedException" && request.form == Form::kWrite) {
      reader.refused(body);
      return Reading::kTold;
    }
    if (type == "TransactionCanceledException" && request.form == Form::kTransactWrite) {
      reader.cancelled(body);
      return Reading::kTold;
    }
    if (type == "TransactionInProgressException" && request.has_token) return Reading::kAgain;
    if (type == "ThrottlingException" || type == "RequestLimitExceeded" ||
        type == "ProvisionedThroughputExceededException") {
      return Reading::kShed;
    }
    why = "an error that it cannot get";
  } catch (const std::exception& error) {
    why = error.what();
  }
  why += "\n  " + request.body.substr(0, 2000) + "\n  " + std::to_string(answer.status) + " " +
         answer.body.substr(0, 2000);
  return Reading::kWrong;
}

}  // namespace millrace::linearizability
