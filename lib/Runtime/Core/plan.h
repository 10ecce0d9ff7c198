//===- plan.h - The memory that a run is planned to take ------------------===//

#ifndef WEFT_RUNTIME_CORE_PLAN_H
#define WEFT_RUNTIME_CORE_PLAN_H

#include "session.h"

/// Fails, and says what takes how much, if a run with these values of the
/// symbols is planned to take more memory than the session may.
weft_status weft_plan_check(const weft_session *session,
                            const int64_t *symbols);

#endif // WEFT_RUNTIME_CORE_PLAN_H
