//! Updates of EKS from the side of an effect: follow the one that an earlier call began, adopt the one that is under way, or
//! begin one.

use aws_sdk_eks::types::{Update, UpdateParamType, UpdateType};
use switchback_executor::ports::Classify as _;
use switchback_schemas::journal::Outcome;

use super::Scene;
use crate::{
    classify::CallError,
    eks::updates::{self, Of},
    outcome,
};

/// Tries with other tokens after updates that failed, in one call.
const TRIES: u32 = 8;

/// The update that an effect wants.
pub(super) struct Wanted<'a> {
    /// Of what.
    pub(super) of: Of<'a>,
    /// Types that it may have.
    pub(super) types: &'a [UpdateType],
    /// Parameters that it has.
    pub(super) parameters: Vec<(UpdateParamType, String)>,
    /// What it does, for people: `to 1.33`.
    pub(super) does: String,
}

/// What became of the update that an earlier call told of.
pub(super) enum Followed {
    /// Nothing is known of any: look at the thing itself.
    Nothing,
    /// It ended well, by its own account.
    Ended,
    /// This is the outcome.
    Outcome(Outcome),
}

impl Wanted<'_> {
    /// Whether an update does what is wanted: by its type, and by what it says of the parameters.
    pub(super) fn is(&self, update: &Update) -> bool {
        let said: Vec<(String, &String)> = self
            .parameters
            .iter()
            .map(|(which, value)| (updates::parameter(update, which), value))
            .filter(|(found, _)| !found.is_empty())
            .collect();
        self.is_of_type(update) && !said.is_empty() && said.iter().all(|(found, value)| found == *value)
    }

    fn is_of_type(&self, update: &Update) -> bool {
        update.r#type().is_some_and(|kind| self.types.contains(kind))
    }

    fn named(&self, scene: &Scene<'_>) -> String {
        self.of.named(scene.name())
    }

    /// The outcome while an update is under way.
    fn under_way(&self, scene: &Scene<'_>, update: &Update) -> Outcome {
        let named = self.named(scene);
        match self.is(update) {
            true => updates::going(update, &named, &self.does),
            // It moves the same thing to somewhere else: waiting it out leaves another world than the plan was made for.
            false if update.r#type().is_some_and(|kind| self.types.contains(kind)) => {
                outcome::person(format!(
                    "{named}: somebody else moves it, and not {} ({}); wait until it has ended and make a new plan, or resume",
                    self.does,
                    updates::told(update)
                ))
            }
            false => updates::foreign(update, &named),
        }
    }
}

/// Asks after the operation of an earlier call.
pub(super) async fn follow(scene: &Scene<'_>, wanted: &Wanted<'_>) -> Result<Followed, CallError> {
    let Some(id) = &scene.call.operation else { return Ok(Followed::Nothing) };
    let Some(update) = updates::update(scene.aws(), scene.name(), wanted.of, id).await? else {
        return Ok(Followed::Nothing);
    };
    let ours = wanted.is(&update);
    Ok(match () {
        () if updates::is_open(&update) => Followed::Outcome(wanted.under_way(scene, &update)),
        () if updates::is_successful(&update) && ours => Followed::Ended,
        () if ours => Followed::Outcome(updates::failed(&update, &wanted.named(scene))),
        // Somebody else's has ended, well or not.
        () => Followed::Nothing,
    })
}

/// An update that is under way, as an outcome.
pub(super) async fn adopt(
    scene: &Scene<'_>,
    wanted: &Wanted<'_>,
    said: &str,
) -> Result<Option<Outcome>, CallError> {
    let found = updates::under_way(scene.aws(), scene.name(), wanted.of, said).await?;
    Ok(found.map(|update| wanted.under_way(scene, &update)))
}

/// Begins an update. `send` sends the call with a token.
///
/// EKS answers a token that it knows with the update that it began then. If that one failed (before somebody made room, say),
/// the next token is made of its id, so that it is the same for every process that goes on from there.
pub(super) async fn begin<F, R>(scene: &Scene<'_>, wanted: &Wanted<'_>, send: F) -> Result<Outcome, CallError>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<Option<Update>, CallError>>,
{
    let mut token = scene.call.token.clone();
    let mut last = None;
    for _ in 0..TRIES {
        let update = match send(token.clone()).await {
            Ok(Some(update)) => update,
            Ok(None) => {
                let none = CallError::Garbled { what: "it tells of an update and holds none".to_owned() };
                return Ok(none.of_write());
            }
            Err(error) if error.is_in_use() => {
                let adopted = adopt(scene, wanted, error.message()).await?;
                return Ok(adopted.unwrap_or_else(|| error.of_write()));
            }
            Err(error) => return Ok(error.of_write()),
        };
        let update = as_it_is(scene, wanted, update).await;
        if updates::is_open(&update) || updates::is_successful(&update) {
            // Whatever it says of itself: it answers our token.
            return Ok(updates::going(&update, &wanted.named(scene), &wanted.does));
        }
        let id: String = update.id().unwrap_or_default().chars().filter(char::is_ascii_graphic).collect();
        token = next(&scene.call.token, &id);
        last = Some(update);
    }
    Ok(match last {
        Some(update) => updates::failed(&update, &wanted.named(scene)),
        None => outcome::refused("no update was begun"),
    })
}

/// The answer to a token that is known may show the update as it was when it began. Only a later attempt can meet one.
async fn as_it_is(scene: &Scene<'_>, wanted: &Wanted<'_>, update: Update) -> Update {
    if scene.call.attempt <= 1 || !updates::is_open(&update) {
        return update;
    }
    let id = update.id().unwrap_or_default().to_owned();
    match updates::update(scene.aws(), scene.name(), wanted.of, &id).await {
        Ok(Some(found)) => found,
        Ok(None) | Err(_) => update,
    }
}

/// The token after an update that failed. EKS takes up to 64 characters.
fn next(token: &str, id: &str) -> String {
    let id: String = id.chars().take(8).collect();
    format!("{token}-{id}").chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::UpdateParam;

    #[test]
    fn an_update_is_ours_by_type_and_parameters() {
        let wanted = Wanted {
            of: Of::Cluster,
            types: &[UpdateType::VersionUpdate],
            parameters: vec![(UpdateParamType::Version, "1.33".to_owned())],
            does: "to 1.33".to_owned(),
        };
        let update = |kind, version: &str| {
            let version = UpdateParam::builder().r#type(UpdateParamType::Version).value(version).build();
            Update::builder().id("u").r#type(kind).params(version).build()
        };
        assert!(wanted.is(&update(UpdateType::VersionUpdate, "1.33")));
        assert!(!wanted.is(&update(UpdateType::VersionUpdate, "1.34")));
        assert!(!wanted.is(&update(UpdateType::ConfigUpdate, "1.33")));
        let silent = Update::builder().id("u").r#type(UpdateType::VersionUpdate).build();
        assert!(!wanted.is(&silent), "it may do anything");
    }

    #[test]
    fn the_token_after_a_failure_is_another_and_always_the_same() {
        let token = "0123456789abcdef0123456789abcdef";
        assert_eq!(next(token, "0b0a1f4e-98f2"), format!("{token}-0b0a1f4e"));
        assert_eq!(next(&"x".repeat(64), "0b0a"), "x".repeat(64));
    }
}
