//! What helm prints.

use serde_json::{Value, json};

use super::args::Args;
use super::chart::{self, merge_values};
use super::release::{Release, history as revisions};
use super::{Stop, four};
use crate::world::World;
use crate::world::key::{set, text, unset};

/// What install and upgrade say at their end.
pub(super) fn summary(world: &World, release: &Release, extra: &str) -> String {
    let description = if four(world) {
        format!("DESCRIPTION: {}\n", text(&release.0, "/info/description"))
    } else {
        String::new()
    };
    let deployed = text(&release.0, "/info/last_deployed")
        .parse::<jiff::Timestamp>()
        .map(|t| t.strftime("%a %b %e %H:%M:%S %Y").to_string())
        .unwrap_or_default();
    format!(
        "NAME: {}\nLAST DEPLOYED: {deployed}\nNAMESPACE: {}\nSTATUS: {}\nREVISION: {}\n{description}TEST SUITE: None\n{extra}",
        text(&release.0, "/name"),
        text(&release.0, "/namespace"),
        release.status(),
        release.revision()
    )
}

pub(super) fn dry_run(release: &Release) -> String {
    let hooks: String = release
        .0
        .get("hooks")
        .and_then(Value::as_array)
        .map(|all| {
            all.iter()
                .map(|h| ["---\n# Source: ", text(h, "/path"), "\n", text(h, "/manifest")].concat())
                .collect()
        })
        .unwrap_or_default();
    format!("HOOKS:\n{hooks}\nMANIFEST:\n{}\n", release.manifest())
}

pub(super) fn template(world: &World, args: &Args) -> Result<String, Stop> {
    let reference =
        args.rest.get(1).ok_or_else(|| Stop::error("\"helm template\" requires at least 1 argument"))?;
    let chart = chart::render(
        world,
        reference,
        args.flag("version"),
        args.release(),
        args.namespace(),
        &args.values,
        None,
    )?;
    let mut out = String::new();
    if args.is("include-crds") {
        out.push_str(&chart::manifest(&chart.name, &chart.crds));
    }
    out.push_str(&chart::manifest(&chart.name, &chart.objects));
    if !args.is("no-hooks") {
        out.push_str(&chart::manifest(&chart.name, &chart.hooks));
    }
    Ok(out)
}

/// `helm show chart` and `helm show crds`.
pub(super) fn chart(world: &World, args: &Args) -> Result<String, Stop> {
    let what = args.rest.first().map(String::as_str).unwrap_or_default();
    let reference =
        args.rest.get(1).ok_or_else(|| Stop::error("\"helm show\" requires at least 1 argument"))?;
    let chart = chart::render(world, reference, args.flag("version"), "", "", &json!({}), None)?;
    match what {
        "chart" => {
            let about = json!({"apiVersion": "v2", "appVersion": chart.app_version, "name": chart.name, "version": chart.version});
            Ok(serde_yaml::to_string(&about).unwrap_or_default())
        }
        "crds" => Ok(chart::manifest(&chart.name, &chart.crds)),
        _ => Err(Stop::NotSimulated(format!("helm show {what}"))),
    }
}

fn all(world: &World, args: &Args, of: &str) -> Result<Vec<Release>, Stop> {
    let all = revisions(world, of, args.namespace());
    if all.is_empty() { Err(Stop::not_found()) } else { Ok(all) }
}

fn one(world: &World, args: &Args, of: &str) -> Result<Release, Stop> {
    let mut all = all(world, args, of)?;
    match args.flag("revision").and_then(|r| r.parse::<i64>().ok()).filter(|r| *r > 0) {
        Some(wanted) => all.into_iter().find(|r| r.revision() == wanted).ok_or_else(Stop::not_found),
        None => all.pop().ok_or_else(Stop::not_found),
    }
}

pub(super) fn history(world: &World, args: &Args) -> Result<String, Stop> {
    if !args.is("output") {
        return Err(Stop::NotSimulated("helm history without -o json".into()));
    }
    let all = all(world, args, args.release())?;
    let most = args.flag("max").and_then(|m| m.parse().ok()).unwrap_or(256);
    let rows: Vec<Value> = all
        .iter()
        .skip(all.len().saturating_sub(most))
        .map(|r| {
            json!({"revision": r.revision(), "updated": text(&r.0, "/info/last_deployed"), "status": r.status(),
                "chart": r.chart(), "app_version": text(&r.0, "/chart/metadata/appVersion"),
                "description": text(&r.0, "/info/description")})
        })
        .collect();
    Ok(format!("{}\n", json!(rows)))
}

pub(super) fn status(world: &World, args: &Args) -> Result<String, Stop> {
    if !args.is("output") {
        return Err(Stop::NotSimulated("helm status without -o json".into()));
    }
    let mut release = one(world, args, args.release())?.0;
    unset(&mut release, &["chart"]);
    Ok(format!("{release}\n"))
}

pub(super) fn get(world: &World, args: &Args) -> Result<String, Stop> {
    let what = args.rest.first().map(String::as_str).unwrap_or_default();
    let name = args.rest.get(1).map(String::as_str).unwrap_or_default();
    let release = one(world, args, name)?;
    match (what, args.is("output")) {
        ("manifest", false) => Ok(release.manifest().to_owned()),
        ("hooks", false) => Ok(release.recorded_hooks()),
        ("values", true) => {
            let mut values = release.config();
            if args.is("all") {
                values = release.0.pointer("/chart/values").cloned().unwrap_or_else(|| json!({}));
                merge_values(&mut values, &release.config());
            }
            let none = release.0.get("config").is_none() && !args.is("all");
            Ok(format!("{}\n", if none { Value::Null } else { values }))
        }
        ("metadata", true) => {
            let mut out = json!({
                "name": name, "chart": text(&release.0, "/chart/metadata/name"),
                "version": text(&release.0, "/chart/metadata/version"),
                "appVersion": text(&release.0, "/chart/metadata/appVersion"), "namespace": args.namespace(),
                "revision": release.revision(), "status": release.status(),
                "deployedAt": deployed_at(&release),
            });
            if let Some(method) = release.0.get("apply_method") {
                set(&mut out, &["applyMethod"], method.clone());
            }
            Ok(format!("{out}\n"))
        }
        _ => Err(Stop::NotSimulated(format!("helm get {what}"))),
    }
}

fn deployed_at(release: &Release) -> String {
    let at = text(&release.0, "/info/last_deployed").parse::<jiff::Timestamp>();
    at.ok()
        .and_then(|t| jiff::Timestamp::from_second(t.as_second()).ok())
        .map(|t| t.to_string())
        .unwrap_or_default()
}
