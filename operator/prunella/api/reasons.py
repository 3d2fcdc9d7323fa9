"""The closed lists of words that Prunella gives for what it did and did not do.

One value is used alike in conditions, Events, metric labels, logs and the CLI, so that a
reader who saw a word in one place finds it in every other.
"""

from __future__ import annotations

import enum


class Refused(enum.StrEnum):
    """Why nothing was done to a target that is Unhealthy."""

    SUSPENDED = "Suspended"
    PAUSED = "Paused"
    FROZEN = "Frozen"
    WINDOW_CLOSED = "WindowClosed"
    EMPTY_SELECTOR = "EmptySelector"
    SYSTEM_NAMESPACE = "SystemNamespace"
    OWN_WORKLOAD = "OwnWorkload"
    LATCHED = "Latched"
    NOT_HELD = "NotHeldLongEnough"
    NOT_THE_CAUSE = "NotTheCause"
    WAITS_FOR_INCIDENT = "WaitsForIncident"
    IN_FLIGHT = "InFlight"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    ROLLOUT_PAUSED = "RolloutPaused"
    ROLLOUT_BLOCKED = "RolloutBlocked"
    UPDATE_STRATEGY = "UpdateStrategy"
    SCALED_TO_ZERO = "ScaledToZero"
    OWNED_BY_AUTOSCALER = "OwnedByAutoscaler"
    OWNED_BY_GITOPS = "OwnedByGitOps"
    OWNED_BY_CONTROLLER = "OwnedByController"
    SAME_REMEDY_LIMIT = "SameRemedyLimit"
    COOLDOWN = "Cooldown"
    BACKOFF = "Backoff"
    CLOCK_WRONG = "ClockWrong"
    POLICY_HOURLY_LIMIT = "PolicyHourlyLimit"
    NAMESPACE_HOURLY_LIMIT = "NamespaceHourlyLimit"
    CLUSTER_HOURLY_LIMIT = "ClusterHourlyLimit"
    CONTROL_PLANE = "ControlPlaneNode"
    STORM = "Storm"
    MAX_UNAVAILABLE = "MaxUnavailable"
    TOO_MANY_UNHEALTHY = "TooManyUnhealthy"
    TOO_MANY_UNKNOWN = "TooManyUnknown"
    DISRUPTION_BUDGET = "DisruptionBudget"
    ERROR_BUDGET = "ErrorBudget"
    NAMESPACE_DISRUPTIONS = "NamespaceDisruptions"
    CLUSTER_DISRUPTIONS = "ClusterDisruptions"
    DISRUPTIONS_UNKNOWN = "DisruptionsUnknown"
    FORBIDDEN = "ForbiddenByServer"
    TARGET_GONE = "TargetGone"
    PLAN_CHANGED = "PlanChanged"
    NO_KNOWN_GOOD_REVISION = "NoKnownGoodRevision"
    NOT_CHANGED_RECENTLY = "NotChangedRecently"
    AT_BOUND = "AtBound"
    NO_PODS = "NoPods"
    JOB_RUNNING = "JobRunning"
    NOTHING_TO_RERUN = "NothingToRerun"
    NOT_OFFERED = "NotOffered"
    BAD_PARAMETERS = "BadParameters"
    CHANGED_BY_OTHERS = "ChangedByOthers"
    UNDONE_BY_OTHERS = "UndoneByOthers"
    NO_CHANGE = "NoChangeKnown"
    NOT_ALLOWED = "NotAllowedByPolicy"
    CHANGED_SINCE = "ChangedSince"
    REDACTED = "Redacted"
    WIDENS_RIGHTS = "WidensRights"
    HEALTHY_DEPENDENTS = "HealthyDependents"
    STILL_REFERRED_TO = "StillReferredTo"
    NEEDS_RESTART = "NeedsRestart"
    ONE_WAY = "OneWayStep"
    NOTHING_TO_PROVE = "NothingToProve"
    FIELD_NOT_ALLOWED = "FieldNotAllowed"
    NOT_WRITABLE = "NotWritable"
    NOT_THE_LIMIT = "NotTheLimit"
    REQUIREMENT_NOT_MET = "RequirementNotMet"
    RESIZE_PENDING = "ResizePending"
    OTHER_SIDE_NOT_HEALTHY = "OtherSideNotHealthy"
    NO_HEADROOM = "NoHeadroom"
    ISSUING = "AlreadyIssuing"
    ISSUANCE_FAILED = "IssuanceFailed"
    NOT_FROM_GIT = "NotFromGit"
    NOT_FROM_HELM = "NotFromHelm"
    SYNC_SUSPENDED = "SyncSuspended"
    LATER_COMMIT = "LaterCommit"
    REQUEST_OPEN = "RequestOpen"
    REPOSITORY_UNAVAILABLE = "RepositoryUnavailable"
    MODE_LOWERED = "ModeLowered"
    SERVER_DRY_RUN = "RefusedInDryRun"
    REFUSED_BY_SERVER = "RefusedByServer"
    REFUSED_BY_RECEIVER = "RefusedByReceiver"
    REFUSED_BY_ADMISSION = "RefusedByAdmission"
    LEDGER_UNAVAILABLE = "LedgerUnavailable"
    NO_STEP_LEFT = "NoStepLeft"
    PLAN_TOO_LARGE = "PlanTooLarge"
    REJECTED = "Rejected"
    NOT_APPROVED = "NotApprovedInTime"
    OTHER_PLAN = "ApprovalOfOtherPlan"
    APPROVAL_EXPIRED = "ApprovalExpired"


class Doubt(enum.StrEnum):
    """Why a verdict is Unknown."""

    UNREACHABLE = "SourceUnreachable"
    TIMEOUT = "Timeout"
    HTTP_ERROR = "HttpError"
    NOT_JSON = "NotJson"
    QUERY_REJECTED = "QueryRejected"
    UNKNOWN_SOURCE = "UnknownSource"
    FORBIDDEN_SOURCE = "ForbiddenSource"
    WARNINGS = "Warnings"
    NO_DATA = "NoData"
    NOT_A_NUMBER = "NotANumber"
    STALE = "Stale"
    TOO_FEW_EVENTS = "TooFewEvents"
    DUPLICATE_SERIES = "DuplicateSeries"
    NO_MAPPING_LABELS = "NoMappingLabels"
    TOO_MANY_SERIES = "TooManySeries"
    BODY_TOO_LARGE = "BodyTooLarge"
    LEARNING = "Learning"
    NOT_JUDGED = "NotJudged"
    TOO_SHORT = "TooShort"
    GAPS = "Gaps"
    SLOPE_TOO_YOUNG = "SlopeTooYoung"
    SLOWING_DOWN = "SlowingDown"
    UNCERTAIN_SLOPE = "UncertainSlope"
    RESETS_BEFORE = "ResetsBefore"
    NO_LIMIT = "NoLimit"
    TOO_FEW_SAMPLES = "TooFewSamples"
    NO_REFERENCE = "NoReference"
    INCONCLUSIVE = "Inconclusive"
    WARMING_UP = "WarmingUp"
    ROLLING = "Rolling"
    NO_ROLLOUT_SEEN = "NoRolloutSeen"
    CANARY_ABSENT = "CanaryAbsent"
    SCALED_TO_ZERO = "ScaledToZero"
    PODS_GONE = "PodsGone"
    MANY_CLUSTERS = "ManyClusters"
    NO_RULE = "NoSuchRule"
    RULE_FAILING = "RuleFailing"


class Phase(enum.StrEnum):
    """Where one Remediation stands. The second group is final."""

    AWAITING_APPROVAL = "AwaitingApproval"
    PENDING = "Pending"
    ACTING = "Acting"
    VERIFYING = "Verifying"

    ADVISED = "Advised"
    DRY_RUN = "DryRun"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    SUCCEEDED = "Succeeded"
    UNHELPFUL = "Unhelpful"
    UNPROVEN = "Unproven"
    FAILED = "Failed"
    NOT_SENT = "NotSent"
    SUPERSEDED = "Superseded"
    UNKNOWN = "Unknown"

    @property
    def final(self) -> bool:
        """True when nothing more happens to the record."""
        return self not in {
            Phase.AWAITING_APPROVAL,
            Phase.PENDING,
            Phase.ACTING,
            Phase.VERIFYING,
        }


ACTED = frozenset(
    {
        Phase.ACTING,
        Phase.VERIFYING,
        Phase.SUCCEEDED,
        Phase.UNHELPFUL,
        Phase.UNPROVEN,
        Phase.FAILED,
        Phase.SUPERSEDED,
        Phase.UNKNOWN,
    }
)
"""Phases in which an effect was, or may have been, sent: these count for limits."""

UNHELPFUL = frozenset({Phase.UNHELPFUL, Phase.UNPROVEN, Phase.FAILED, Phase.UNKNOWN})
"""Phases that count towards the latch: three of them in a row stop a policy."""
