//! `kube.try-create` and `kube.try-update`: what the API server and its webhooks would say of many objects, without storing any. Every
//! object that is refused is named, not the first one alone.

use serde_json::{Value, json};
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    plan::{Find, KubeTryCreate, KubeTryUpdate},
};

use super::{apply::reference, restore};
use crate::{
    api::{Kinds, MANAGER, Resource, Sought, Writer, object_path, query_path},
    classify::CallError,
    conditions::count,
    fields,
    target::{done, refused},
};

/// Under which a captured object is tried, since its own name is taken by the object that is there.
const NAME: &str = "switchback-restore";
/// Refusals that are listed.
const LISTED: usize = 20;
/// Times that one object is read again because somebody changed it in between.
const ANEW: u32 = 5;

pub(super) async fn create(api: &Writer, effect: &KubeTryCreate<Value>) -> Result<Outcome, CallError> {
    let Some(objects) = effect.objects.as_array() else {
        return Ok(refused("what was captured is no list of objects"));
    };
    let kinds = Kinds::new(&api.read);
    let mut tried = Tried::default();
    for captured in objects {
        let Some(named) = reference(captured) else {
            return Ok(refused("the artifact holds something that is no object"));
        };
        let resource = kinds.of(&named).await?;
        let path = object_path(&resource, named.namespace.as_deref(), None, None)?;
        let path = dry(&path, &[("fieldValidation", "Strict")]);
        let answer = created(api, &path, restore::wanted(captured)).await;
        if let Some(stopped) = tried.note(&named.to_string(), answer) {
            return Ok(stopped);
        }
    }
    Ok(tried.outcome("would be created again"))
}

/// Sends a captured object under another name. What is refused beside the object that is there may still be taken in its place: KServe
/// refuses a second runtime of the same priority, for one. So it is sent under its own name, too: that it exists already is answered
/// after the schema and the webhooks have taken it.
async fn created(api: &Writer, path: &str, object: Value) -> Result<(), CallError> {
    let mut copy = object.clone();
    if let Some(metadata) = copy.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".to_owned(), json!(NAME));
        // Owners are those of the object that is there.
        metadata.remove("ownerReferences");
    }
    match api.post(path, &copy).await {
        Ok(_) => Ok(()),
        Err(error) if is_refusal(&error) => match api.post(path, &object).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn is_refusal(error: &CallError) -> bool {
    matches!(error.of_read(), Outcome::NotDone { class: Class::Refused | Class::Vetoed, .. })
}

pub(super) async fn update(api: &Writer, effect: &KubeTryUpdate) -> Result<Outcome, CallError> {
    let mut tried = Tried::default();
    for find in &effect.find {
        let Some(resource) = Kinds::new(&api.read).find(&find.api_version, &find.kind).await? else {
            return Err(not_served(find));
        };
        for object in count::found(&api.read, find).await? {
            let named = fields::reference(&object).to_string();
            let answer = written_back(api, &resource, object).await;
            if let Some(stopped) = tried.note(&named, answer) {
                return Ok(stopped);
            }
        }
    }
    Ok(tried.outcome("would be updated"))
}

fn not_served(find: &Find) -> CallError {
    CallError::NotServed { api_version: find.api_version.clone(), kind: find.kind.clone() }
}

/// Sends an object as it is. One that somebody changes is read again, and one that is gone has nothing to be asked about.
async fn written_back(api: &Writer, resource: &Resource, mut object: Value) -> Result<(), CallError> {
    let name = fields::name(&object);
    let sought = Sought::new(resource, name.namespace.as_deref(), &name.name);
    let path = dry(&sought.path()?, &[]);
    let mut anew = 0;
    loop {
        match api.put(&path, &object).await {
            Ok(_) => return Ok(()),
            Err(error) if sought.is_gone(&error) => return Ok(()),
            Err(error) if error.is_conflict() && anew < ANEW => match api.read.look(sought).await? {
                Some(present) => object = present.into_object(),
                None => return Ok(()),
            },
            Err(error) => return Err(error),
        }
        anew += 1;
    }
}

fn dry(path: &str, more: &[(&str, &str)]) -> String {
    let query: Vec<(&str, &str)> =
        [("fieldManager", MANAGER), ("dryRun", "All")].into_iter().chain(more.iter().copied()).collect();
    query_path(path, &query)
}

/// What was said so far.
#[derive(Default)]
struct Tried {
    /// How many objects were taken.
    taken: usize,
    /// Who was refused, and why; with the class of the first refusal.
    refused: Vec<String>,
    class: Option<Class>,
}

impl Tried {
    /// Notes an answer. What is no answer about the object ends the try: it is made again, as long as the step may take.
    fn note(&mut self, named: &str, answer: Result<(), CallError>) -> Option<Outcome> {
        let Err(error) = answer else {
            self.taken += 1;
            return None;
        };
        match error.of_read() {
            Outcome::NotDone {
                class: class @ (Class::Refused | Class::Vetoed),
                evidence: Evidence(lines),
            } => {
                self.class.get_or_insert(class);
                self.refused.push(format!("{named}: {}", lines.join("; ")));
                None
            }
            Outcome::NotDone { class, evidence: Evidence(mut lines) } => {
                if let Some(first) = lines.first_mut() {
                    *first = format!("{named}: {first}");
                }
                Some(Outcome::NotDone { class, evidence: Evidence(lines) })
            }
            other => Some(other),
        }
    }

    fn outcome(self, would: &str) -> Outcome {
        let objects =
            |count: usize| if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
        let Some(class) = self.class else {
            return done(format!("{} {would}", objects(self.taken)));
        };
        let more = self.refused.len().saturating_sub(LISTED);
        let mut lines = vec![format!(
            "{} of {} are refused",
            self.refused.len(),
            objects(self.taken.saturating_add(self.refused.len()))
        )];
        lines.extend(self.refused.into_iter().take(LISTED));
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        Outcome::NotDone { class, evidence: Evidence(lines) }
    }
}
