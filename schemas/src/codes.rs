//! The table of stable codes. A code is never given a second meaning and never reused.
//!
//! Areas: 01xx source text · 02xx manifest · 03xx path · 04xx plan · 05xx run · 06xx platform · 07xx command line · 90xx bug.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A stable code such as `SB0201`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it stands for, in a few words.
    pub title: &'static str,
    /// What it means and what to do, for `switchback explain`.
    pub about: &'static str,
}

impl Code {
    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The row of a code, by its text.
    pub fn find(text: &str) -> Option<&'static Entry> {
        ALL.iter().find(|entry| entry.code.0 == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown = || de::Error::custom(format_args!("{text:?} is not a code this build knows"));
        Ok(Self::find(&text).ok_or_else(unknown)?.code)
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^SB[0-9]{4}$"})
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $about:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*

        /// Every code there is, rising.
        pub const ALL: &[Entry] = &[$(Entry { code: $name, title: $title, about: $about }),*];
    };
}

codes! {
    SOURCE_UNREADABLE = "SB0101", "the file cannot be read",
        "The file does not exist, may not be read, is a pipe, a device or a directory, or a link leads from it outside of the directory \
         that was named. Nothing else was looked at in it.";
    SOURCE_TOO_LARGE = "SB0102", "the file is too large",
        "A manifest file may hold up to 4 MiB. Larger files are refused before they are parsed; split them.";
    SOURCE_NOT_UTF8 = "SB0103", "the file is not UTF-8",
        "Manifests are UTF-8 text. The label points at the first byte that is not.";
    SOURCE_EMPTY = "SB0104", "the file holds no document",
        "Every manifest file holds at least one document. Remove the file or write a manifest into it.";
    SOURCE_MORE = "SB0105", "the file has more faults than are shown",
        "The first hundred faults of a file are shown; fix them and check again to see the rest.";
    YAML_SYNTAX = "SB0110", "this is not YAML",
        "The text cannot be parsed as YAML at the place that the label shows.";
    YAML_TAB = "SB0111", "a tab is used for indentation",
        "YAML indents with spaces. Replace the tab.";
    YAML_DUPLICATE_KEY = "SB0112", "a key is written twice",
        "YAML readers disagree on which of two equal keys wins, so both places are shown and neither is taken.";
    YAML_MERGE_KEY = "SB0113", "a merge key is used",
        "`<<` was dropped from YAML 1.2 and hides what a reviewer would have to read. Write the fields out.";
    YAML_ALIAS_BUDGET = "SB0114", "aliases expand to too much",
        "A document whose aliases expand to more than 10,000 nodes is refused: it is a mistake or an attack.";
    YAML_TAG = "SB0115", "a tag is used",
        "Tags such as !!binary or !Ref have no meaning in a manifest. Write the plain value.";
    YAML_KEY_NOT_TEXT = "SB0116", "a key is not a text",
        "Keys of a mapping are field names. Write them as plain text.";
    YAML_DEPTH = "SB0117", "the document is nested too deeply",
        "Documents nested deeper than 64 levels are refused.";
    YAML_INVISIBLE = "SB0118", "an invisible or direction-changing character is used",
        "Such characters make a reviewer read something else than the machine does. Remove them.";
    MANIFEST_UNKNOWN_KIND = "SB0201", "this kind is not known",
        "The apiVersion or kind of the document is none that this build knows.";
    MANIFEST_UNKNOWN_FIELD = "SB0202", "this field is not known",
        "Unknown fields are refused: a misspelt field that is silently dropped compiles a wrong plan.";
    MANIFEST_MISSING_FIELD = "SB0203", "a field is missing",
        "The schema of this kind requires the field.";
    MANIFEST_WRONG_TYPE = "SB0204", "the value has the wrong type",
        "The schema of this kind expects another type here.";
    MANIFEST_BAD_VALUE = "SB0205", "the value is not allowed here",
        "The value has the right type but is outside of what the schema of this kind allows.";
    MANIFEST_VERSION_NOT_TEXT = "SB0206", "a version number is not quoted",
        "To YAML, 1.30 without quotes is the number 1.3. Quote version numbers.";
    MANIFEST_YAML_1_1_BOOLEAN = "SB0207", "a word that YAML 1.1 reads as true or false",
        "yes, no, on and off are texts to this reader and booleans to older ones. Write true or false, or quote it.";
    MANIFEST_DUPLICATE = "SB0208", "two documents have the same kind and name",
        "Every document of one kind needs a name of its own across all files.";
    MANIFEST_REFERENCE = "SB0209", "this name is not defined",
        "The manifest refers to a target, pool, window, class or verification that no document defines.";
    MANIFEST_NO_PLATFORM = "SB0210", "there is no Platform document",
        "A set of manifests describes exactly one Platform.";
    MANIFEST_TWO_PLATFORMS = "SB0211", "there is more than one Platform document",
        "A set of manifests describes exactly one Platform. Compile several platforms separately.";
    MANIFEST_CONFLICT = "SB0212", "two settings contradict each other",
        "The settings cannot both hold. The labels show both places.";
    MANIFEST_NOT_BUILT = "SB0213", "this case is not built yet",
        "Switchback refuses by name what it does not do yet: silence would compile a wrong plan.";
    MANIFEST_WAIVER = "SB0214", "the waiver does not hold",
        "A waiver names one finding, its evidence and its expiry. It is expired, or names a finding that does not exist.";
    PATH_NONE = "SB0301", "there is no supported path",
        "No order of hops reaches the targets without breaking a requirement. The facts that contradict each other are listed.";
    PATH_BACKWARDS = "SB0302", "the target is older than the installed version",
        "An upgrade goes up. To go down, roll back the run that went up.";
    PATH_BAD_VERSION = "SB0303", "the target version is known to be bad",
        "The catalog marks this version as one not to upgrade to.";
    PATH_UNKNOWN_VERSION = "SB0304", "the catalog does not know the version",
        "The catalog holds no facts for this version. Add a Catalog document with its facts, or choose a known version.";
    PATH_REQUIREMENT = "SB0306", "a requirement would be broken",
        "A vendor states that the combination does not work or is not supported.";
    PATH_CYCLE = "SB0307", "dependency cycle",
        "Steps wait for each other. The cycle is listed with the reason of each edge.";
    PATH_GAVE_UP = "SB0308", "the search for a path gave up",
        "The budget of states was used up before a path was found or ruled out. Ask for fewer components at once, or allow more.";
    PATH_SUPPORT = "SB0309", "the support of a version ends, or has ended",
        "The vendor supports the version only until a day. Past it nothing can move there, and a rollback to it is not possible.";
    PLAN_INVENTORY_MISSING = "SB0401", "the inventory does not hold what the plan needs",
        "Observe the platform again; the message says what is missing and whether it could not be read.";
    PLAN_LOCK_MISSING = "SB0402", "the lock does not hold what the plan needs",
        "Run `switchback resolve` for these manifests and this inventory.";
    PLAN_LOCK_STALE = "SB0403", "stale lock",
        "The lock was resolved against other manifests or another inventory. Resolve again.";
    PLAN_OWNER_UNKNOWN = "SB0404", "the owner of this object is unknown",
        "The owner would undo a change that bypasses it. Name the owner under `owners:` in the Platform document.";
    PLAN_OWNER_NOT_BUILT = "SB0405", "this kind of owner is not built yet",
        "The object is owned by a system that Switchback cannot go through yet.";
    PLAN_UNCLASSIFIED_POD = "SB0406", "a pod of no class stands on a GPU node",
        "On a GPU node a pod of no workload class is never moved until someone decides. Add a workload class for it.";
    PLAN_BUDGET_STUCK = "SB0407", "a PodDisruptionBudget never allows an eviction",
        "The budget can never be satisfied while a pod is evicted, so a drain would wait for ever.";
    PLAN_BUDGETS_OVERLAP = "SB0408", "two PodDisruptionBudgets select one pod",
        "The eviction API answers 500 for such a pod, and waiting does not heal it.";
    PLAN_WEBHOOK_FAIL_CLOSED = "SB0409", "a fail-closed webhook would lose its endpoints",
        "While the nodes of its pods move, the API server could refuse every write that the webhook covers.";
    PLAN_WAY_BACK = "SB0410", "there is no usable rollback",
        "The rollback expires before there is time to decide on it.";
    PLAN_STORED_VERSION = "SB0413", "objects are stored in a version that the target drops",
        "The API server refuses a CRD that drops a version still listed in status.storedVersions.";
    PLAN_RELEASE_PENDING = "SB0415", "a Helm release is pending",
        "A killed client leaves a release pending for good. Repair it before the plan is made.";
    PLAN_STRATEGY = "SB0416", "the pool's strategy cannot do what the manifest promises",
        "The way in which the pool's nodes move does not allow the asked batches, budgets or waits.";
    PLAN_HOOK = "SB0417", "a chart does something that a render cannot show",
        "Hooks run code, and `lookup` reads the cluster: a dry-run cannot show what comes of either. Both are listed.";
    PLAN_TOO_LARGE = "SB0419", "the plan is too large",
        "A plan holds up to 10,000 steps. Split the upgrade into stages.";
    PLAN_UNCHANGED = "SB0420", "there is nothing to do",
        "The platform is at the requested versions already.";
    PLAN_FLOATING_IMAGE = "SB0421", "a floating image alias is used",
        "An alias that moves by itself makes Karpenter drift nodes outside of any plan. Pin it.";
    PLAN_BLIND_SPOT = "SB0422", "something could not be observed",
        "The plan is made without knowing this. Decide whether that matters before applying it.";
    PLAN_LINT = "SB0423", "the plan breaks one of its own rules",
        "An independent check of the compiled plan failed. Do not apply it.";
    PLAN_UNREADABLE = "SB0425", "the document cannot be read",
        "It is not what was expected, or in a format that this build does not read: another release wrote it.";
    PLAN_NOT_READY = "SB0426", "the platform is not ready for an upgrade",
        "Somebody else's update is under way, or something is degraded. Let it end or repair it, then observe again.";
    PLAN_INSIGHT = "SB0427", "an EKS upgrade insight fails",
        "The provider itself found something that the next version breaks. Fix it, or accept the one finding on evidence.";
    PLAN_REMOVED_API = "SB0428", "something uses an API that the target no longer serves",
        "After the upgrade its calls are answered with 404, and a stored Helm manifest can no longer be upgraded.";
    PLAN_CAPACITY = "SB0429", "there is no room for what the plan needs",
        "Addresses, reservations or machines are used up: an update would start and not end.";
    PLAN_OUTAGE = "SB0430", "a service in use would be unavailable",
        "Calls of running workloads fail during the outage, and some workloads end. Accept each by name in the manifest.";
    PLAN_SHARED_DATABASE = "SB0431", "the instance holds more than what is moved",
        "A restore rewinds an instance as a whole. Accept by name what else it holds, or move that elsewhere.";
    PLAN_ON_DELETE = "SB0432", "pods change only when somebody deletes them",
        "The workload's updateStrategy is OnDelete: a new template reaches a pod when somebody, or a controller, deletes it.";
    PLAN_JOB_ENDS = "SB0433", "moving its pods would end a Job as failed",
        "The Job controller counts an evicted pod against backoffLimit, unless the Job's podFailurePolicy ignores pods with DisruptionTarget.";
    PLAN_LEFT_OPEN = "SB0434", "a suspension of an earlier run would never be lifted",
        "The run that this plan continues suspended something, and nothing in this plan resumes it with the first value.";
    PLAN_UNFINISHED = "SB0435", "an unfinished hop of an earlier run is left as it is",
        "The run that this plan continues stopped inside of a hop, and this plan does not continue it.";
    PLAN_DELETES = "SB0436", "an upgrade deletes objects that no rollback brings back",
        "The new chart no longer holds a CRD, or objects of a custom kind: Helm deletes them, a CRD with every object of its kind.";
    PLAN_OTHER_KIND = "SB0437", "the release is a component with a kind of its own",
        "Facts about its versions, its freezes and its order with others hold for the kind that knows it, not for a plain release.";
    PLAN_DECISION = "SB0440", "a workload or node needs a decision before it moves",
        "Somebody objects to moving it: an annotation, a cordon, data on its node, no controller that starts it again, a gang larger than its budget. A workload class that names the objection in `overrides:` decides. Undecided, its node is held, by name.";
    PLAN_NO_REFIT = "SB0441", "an evicted pod would fit no node",
        "No node that stays and none that could be made takes it: its selector or affinity, a taint, its size, or the zone of its volume. What is not known is never a reason for this finding.";
    PLAN_OUTSIDE = "SB0442", "nodes are in no pool",
        "The plan does not move nodes that no pool of the Platform selects. It says what becomes of them: they stay, or Karpenter replaces them by itself when it is thawed.";
    PLAN_POOLS = "SB0443", "a pool selects nothing, or what another pool selects",
        "Each node moves with one pool, and each pool selects nodes, or a NodePool or node group that makes some.";
    PLAN_VERIFICATION = "SB0444", "a Verification is false before the run",
        "What it asks for is not so on the platform as observed, so a step that it verifies would fail.";
    PLAN_WINDOW = "SB0445", "a step fits into no window",
        "A step, with what may not be left in the middle, starts only if a window has room for it and its rollback.";
    PLAN_REMOVED_FIELD = "SB0446", "stored objects hold a field that the target drops",
        "The API server drops a field that the new CRD does not know at the next write of its object, and nobody is told. Convert the objects first.";
    PLAN_HANDOVER = "SB0447", "an object belongs to another release",
        "Helm imports no object that is another release's. A release takes it over only if the manifest says so, and the other release no longer holds it at the end of the plan.";
    PLAN_UNTIL = "SB0448", "there is no such hop",
        "`--until` names the last hop of a plan as the dry-run writes it: the component, its name and the version that it moves to.";
    RUN_CLAIMED = "SB0501", "another run holds the platform",
        "A run keeps its claim until it is complete, rolled back or abandoned.";
    RUN_LEASED = "SB0502", "another process is running it",
        "A process holds the lease of this run. It ends within a minute of a kill.";
    RUN_JOURNAL_CORRUPT = "SB0503", "the journal is damaged",
        "A record inside of the journal is not what was written. Nothing was changed; restore the journal from a copy.";
    RUN_JOURNAL_WRITE = "SB0504", "the journal cannot be written",
        "Dispatch stopped before anything else was started. Free space or restore permissions, then apply again.";
    RUN_ILLEGAL_RECORD = "SB0505", "journal record out of sequence",
        "A record does not follow from those before it. The run is refused as a whole.";
    RUN_PLAN_DIFFERS = "SB0506", "the run was started from another plan",
        "The journal belongs to a plan with another digest.";
    RUN_IDENTITY = "SB0507", "this is not the platform that the plan was made for",
        "The proof of identity of a target does not match. Check the kubeconfig.";
    RUN_PREDICATE_FALSE = "SB0508", "the platform changed since the plan was made",
        "What the step relies on no longer holds. Observe and plan again with --continue.";
    RUN_EPHEMERAL_STORE = "SB0509", "the store would be lost with this job",
        "In CI a local journal dies with the runner. Name a store that stays, or pass --local-state-ok.";
    RUN_NO_SUCH = "SB0510", "there is no such run",
        "The store holds no run of that name.";
    RUN_NOT_ALLOWED = "SB0511", "the run is not in a state that allows this",
        "The message says in which state the run is and what can be done in it.";
    RUN_APPROVAL = "SB0512", "an approval is missing or does not bind",
        "An approval binds to the review digest, has a scope and may expire.";
    RUN_HELD = "SB0513", "the run is held",
        "It stopped and waits for an operator: continue, retry a step, roll back or abandon it.";
    RUN_LEFTOVERS = "SB0514", "runs left something behind",
        "Suspensions, nodes or calls in doubt of runs that failed. Each is listed with the command that clears it.";
    RUN_OVER = "SB0515", "the run ended without completing its plan",
        "It was abandoned, or another run took it over. Its report says how far it came.";
    RUN_TRUST = "SB0516", "the plan was made under another trust",
        "Who may approve is read from a protected place, with --trust, when a plan is made and when its run begins, and has to be the same.";
    PLATFORM_UNREACHABLE = "SB0601", "the API server cannot be reached",
        "The connection failed. Check the kubeconfig and the network.";
    PLATFORM_FORBIDDEN = "SB0602", "access is denied",
        "The credentials do not allow the call. `switchback permissions` prints what the plan needs.";
    PLATFORM_KUBECONFIG = "SB0603", "the kubeconfig cannot be used",
        "The file is missing, not valid, or names a context that it does not hold.";
    PLATFORM_PROGRAM = "SB0604", "a program is missing or failed",
        "The named program could not be run or ended with an error.";
    PLATFORM_CHART = "SB0605", "a chart cannot be read or rendered",
        "Charts come from their repository, or from the directory that the manifest names. The message holds what was answered.";
    PLATFORM_TWIN = "SB0606", "the digital twin failed",
        "It is not served any more, or its world cannot be read.";
    PLATFORM_REFUSED = "SB0607", "the platform would refuse a write of the plan",
        "The API server was asked to try the write without storing it. Its answer is shown.";
    COMMAND_USAGE = "SB0701", "the command line cannot be understood",
        "An option is unknown, missing or has no such value. `--help` of the command lists them.";
    COMMAND_NO_SUCH = "SB0702", "nothing has this name",
        "The document or the store holds nothing of the name that was given. The message lists what there is.";
    COMMAND_AMBIGUOUS = "SB0703", "more than one run can be meant",
        "Name one with `--run`.";
    COMMAND_MISSING = "SB0704", "the command needs more input",
        "Something that it depends on stands neither in the arguments nor in the environment.";
    COMMAND_OUTPUT = "SB0705", "the answer cannot be written",
        "The file or the stream does not take it. Nothing else was changed.";
    COMMAND_SYSTEM = "SB0706", "the operating system refused",
        "Something that every command needs was not given: a directory, a private file, a socket, TLS.";
    COMMAND_OUT_OF_DATE = "SB0707", "a generated file is out of date",
        "What is written in the file is not what this build would write.";
    BUG = "SB9001", "this is a bug in Switchback",
        "An internal rule did not hold. Please report it with the message.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_unique() {
        for pair in ALL.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} then {}", pair[0].code, pair[1].code);
        }
    }

    #[test]
    fn codes_are_read_from_the_table_only() {
        assert_eq!(serde_json::from_str::<Code>("\"SB0110\"").expect("known"), YAML_SYNTAX);
        assert!(serde_json::from_str::<Code>("\"SB0000\"").is_err());
    }
}
