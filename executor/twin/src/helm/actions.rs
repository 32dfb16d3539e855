//! install, upgrade, rollback, uninstall.

use serde_json::Value;

use super::args::Args;
use super::chart::{self, Rendered, merge_values};
use super::objects::{self, check_ownership, drop_from, identity, install_crds, put, remove, run_hook};
use super::release::{Release, history};
use super::{Stop, show};
use crate::world::key::{set, text};
use crate::world::{Key, World};

fn rendered(world: &World, args: &Args, config: &Value, defaults: Option<&Value>) -> Result<Rendered, Stop> {
    let reference = args.rest.get(1).ok_or_else(|| Stop::error("\"helm upgrade\" requires 2 arguments"))?;
    let (release, namespace) = (args.release(), args.namespace());
    match chart::render(world, reference, args.flag("version"), release, namespace, config, defaults) {
        Err(unknown) => chart::brought(&args.files, reference)?.ok_or(unknown),
        rendered => rendered,
    }
}

pub(super) fn install(world: &mut World, args: &Args, killed: bool) -> Result<String, Stop> {
    let (name, namespace) = (args.release(), args.namespace());
    if history(world, name, namespace).last().is_some_and(|r| r.status() != "uninstalled") {
        return Err(Stop::error("INSTALLATION FAILED: cannot reuse a name that is still in use"));
    }
    let failed = |stop: Stop| match stop {
        Stop::Error(text) => Stop::Error(format!("INSTALLATION FAILED: {text}")),
        other => other,
    };
    let chart = rendered(world, args, &args.values, None)?;
    let dry = args.is("dry-run");
    let place = Key::core("namespaces", "", namespace);
    if world.get(&place).is_none() && !dry {
        if !args.is("create-namespace") {
            return Err(failed(Stop::error(format!(
                "create: failed to create: namespaces {namespace:?} not found"
            ))));
        }
        let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"labels": {"name": namespace, "kubernetes.io/metadata.name": namespace}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        world.create(place, object);
    }
    if !args.is("skip-crds") && !dry {
        install_crds(world, &chart.crds).map_err(failed)?;
    }
    if !args.is("take-ownership") {
        check_ownership(world, &chart.objects, name, namespace, "install").map_err(failed)?;
    }
    let mut release = Release::new(world, name, namespace, &chart, &args.values);
    if dry {
        release.set("pending-install", "Dry run complete");
        return Ok(show::summary(world, &release, "") + &show::dry_run(&release));
    }
    release.set("pending-install", "Initial install underway");
    release.store(world);
    let done = hooks(world, &release, "pre-install", args)
        .and_then(|()| change(world, &release, None, killed))
        .and_then(|()| hooks(world, &release, "post-install", args));
    finish(world, &mut release, done, "Install complete", "INSTALLATION FAILED", "Release \"$\" failed: ")?;
    Ok(show::summary(world, &release, ""))
}

pub(super) fn upgrade(world: &mut World, args: &Args, killed: bool) -> Result<String, Stop> {
    let (name, namespace) = (args.release(), args.namespace());
    let all = history(world, name, namespace);
    let Some(last) = all.last() else {
        if args.is("install") && !args.is("dry-run") {
            let out = install(world, args, killed)?;
            return Ok(format!("Release {name:?} does not exist. Installing it now.\n{out}"));
        }
        return Err(Stop::error(format!("UPGRADE FAILED: {name:?} has no deployed releases")));
    };
    if last.status().starts_with("pending-") {
        return Err(Stop::error(
            "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        ));
    }
    let current = match all.iter().rev().find(|r| r.status() == "deployed") {
        Some(deployed) => deployed,
        None if matches!(last.status(), "failed" | "superseded") => last,
        None => return Err(Stop::error(format!("UPGRADE FAILED: {name:?} has no deployed releases"))),
    };
    let given = args.values.as_object().is_some_and(|v| !v.is_empty());
    let reuses = args.is("reuse-values") || args.is("reset-then-reuse-values");
    let config = if args.is("reset-values") || (given && !reuses) {
        args.values.clone()
    } else {
        let mut config = current.config();
        merge_values(&mut config, &args.values);
        config
    };
    // `--reuse-values` brings the defaults of the old chart along, over those of the new one.
    let old = args.is("reuse-values").then(|| {
        let mut old = current.0.pointer("/chart/values").cloned().unwrap_or_default();
        merge_values(&mut old, &current.config());
        old
    });
    let chart = rendered(world, args, &config, old.as_ref())?;
    let mut release = Release::new(world, name, namespace, &chart, &config);
    set(&mut release.0, &["version"], (last.revision() + 1).into());
    set(&mut release.0, &["info", "first_deployed"], text(&current.0, "/info/first_deployed").into());
    let id = |object: &Value| identity(object, namespace);
    let known: Vec<_> = chart::objects(current.manifest()).iter().map(id).collect();
    let fresh: Vec<Value> = chart.objects.iter().filter(|o| !known.contains(&id(o))).cloned().collect();
    if !args.is("take-ownership") {
        check_ownership(world, &fresh, name, namespace, "update").map_err(|stop| match stop {
            Stop::Error(text) => Stop::Error(format!("UPGRADE FAILED: {text}")),
            other => other,
        })?;
    }
    if args.is("dry-run") {
        release.set("pending-upgrade", "Dry run complete");
        return Ok(format!(
            "Release {name:?} has been upgraded. Happy Helming!\n{}{}",
            show::summary(world, &release, ""),
            show::dry_run(&release)
        ));
    }
    release.set("pending-upgrade", "Preparing upgrade");
    release.store(world);
    let mut before = current.clone();
    let done = hooks(world, &release, "pre-upgrade", args)
        .and_then(|()| change(world, &release, Some(&before), killed))
        .and_then(|()| hooks(world, &release, "post-upgrade", args));
    finish(world, &mut release, done, "Upgrade complete", "UPGRADE FAILED", "Upgrade \"$\" failed: ")?;
    // What it started from is superseded, even one that failed.
    before.set_status("superseded");
    before.store(world);
    let most = args.flag("history-max").and_then(|m| m.parse().ok()).unwrap_or(10);
    prune(world, name, namespace, most);
    Ok(format!("Release {name:?} has been upgraded. Happy Helming!\n{}", show::summary(world, &release, "")))
}

pub(super) fn rollback(world: &mut World, args: &Args, killed: bool) -> Result<String, Stop> {
    let (name, namespace) = (args.release(), args.namespace());
    let all = history(world, name, namespace);
    let last = all.last().ok_or_else(Stop::not_found)?;
    let asked = args.rest.get(1).map_or(Some(0), |r| r.parse::<i64>().ok());
    let asked = asked.ok_or_else(|| {
        Stop::error(format!("could not convert revision to a number: {:?}", args.rest.get(1)))
    })?;
    let wanted = if asked == 0 { last.revision() - 1 } else { asked };
    let target = all
        .iter()
        .find(|r| r.revision() == wanted)
        .ok_or_else(|| Stop::error(format!("release has no {wanted} version")))?;
    let mut release = target.clone();
    set(&mut release.0, &["version"], (last.revision() + 1).into());
    set(&mut release.0, &["info", "last_deployed"], world.now().to_string().into());
    release.set("pending-rollback", &format!("Rollback to {wanted}"));
    let mut before = last.clone();
    release.store(world);
    let done = hooks(world, &release, "pre-rollback", args)
        .and_then(|()| objects::refuse_unheld(world, &release, &before))
        .and_then(|()| change(world, &release, Some(&before), killed))
        .and_then(|()| hooks(world, &release, "post-rollback", args));
    if matches!(done, Err(Stop::Error(_))) && before.status() == "deployed" {
        before.set_status("superseded");
        before.store(world);
    }
    finish(world, &mut release, done, &format!("Rollback to {wanted}"), "", "Rollback \"$\" failed: ")?;
    let most = args.flag("history-max").and_then(|m| m.parse().ok()).unwrap_or(10);
    prune(world, name, namespace, most);
    Ok("Rollback was a success! Happy Helming!\n".into())
}

pub(super) fn uninstall(world: &mut World, args: &Args, killed: bool) -> Result<String, Stop> {
    let (name, namespace) = (args.release(), args.namespace());
    let all = history(world, name, namespace);
    let last = all
        .last()
        .ok_or_else(|| Stop::error(format!("uninstall: Release not loaded: {name}: release: not found")))?;
    let mut release = last.clone();
    release.set("uninstalling", "Deletion in progress (or silently failed)");
    release.store(world);
    hooks(world, &release, "pre-delete", args)?;
    if killed {
        return Err(Stop::Killed);
    }
    for object in chart::objects(release.manifest()).iter().rev() {
        remove(world, object, namespace);
    }
    hooks(world, &release, "post-delete", args)?;
    for revision in &all {
        revision.forget(world);
    }
    Ok(format!("release {name:?} uninstalled\n"))
}

/// Runs the hooks of an event in the order of their names.
fn hooks(world: &mut World, release: &Release, event: &str, args: &Args) -> Result<(), Stop> {
    if args.is("no-hooks") {
        return Ok(());
    }
    for hook in release.hooks(event) {
        run_hook(world, &hook, args.namespace(), args.timeout())
            .map_err(|why| Stop::error(format!("{event} hooks failed: {why}")))?;
    }
    Ok(())
}

/// Brings the objects from what a release said to what it says. Killed, it stops half way.
fn change(world: &mut World, release: &Release, before: Option<&Release>, killed: bool) -> Result<(), Stop> {
    let (name, namespace) = (text(&release.0, "/name").to_owned(), text(&release.0, "/namespace").to_owned());
    let old = before.map(|b| chart::objects(b.manifest())).unwrap_or_default();
    let new = chart::objects(release.manifest());
    let id = |object: &Value| identity(object, &namespace);
    for (done, object) in new.iter().enumerate() {
        if killed && done * 2 >= new.len() {
            return Err(Stop::Killed);
        }
        let was = old.iter().find(|o| id(o) == id(object));
        put(world, object, was, &name, &namespace)?;
    }
    if killed {
        return Err(Stop::Killed);
    }
    let kept: Vec<_> = new.iter().map(id).collect();
    for object in old.iter().filter(|o| !kept.contains(&id(o))) {
        drop_from(world, object, &namespace);
    }
    Ok(())
}

/// Settles what became of a revision.
fn finish(
    world: &mut World,
    release: &mut Release,
    done: Result<(), Stop>,
    well: &str,
    badly: &str,
    why: &str,
) -> Result<(), Stop> {
    let name = text(&release.0, "/name").to_owned();
    match done {
        Ok(()) => {
            for mut other in history(world, &name, text(&release.0, "/namespace")) {
                if other.status() == "deployed" && other.revision() != release.revision() {
                    other.set_status("superseded");
                    other.store(world);
                }
            }
            release.set("deployed", well);
            release.store(world);
            Ok(())
        }
        Err(Stop::Error(text)) => {
            release.set("failed", &format!("{}{text}", why.replace('$', &name)));
            release.store(world);
            Err(Stop::Error(if badly.is_empty() { text } else { format!("{badly}: {text}") }))
        }
        Err(other) => Err(other),
    }
}

/// Forgets the oldest revisions, never the deployed one.
fn prune(world: &mut World, name: &str, namespace: &str, most: usize) {
    let all = history(world, name, namespace);
    if most == 0 || all.len() <= most {
        return;
    }
    for old in all.iter().take(all.len() - most).filter(|r| r.status() != "deployed") {
        old.forget(world);
    }
}
