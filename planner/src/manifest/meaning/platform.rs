//! What a Platform says about itself.

use jiff::tz::TimeZoneDatabase;
use switchback_schemas::{
    codes,
    manifest::{Document, DrainSpec, Platform, TargetSpec},
    name::Label as Name,
    seconds::Seconds,
};

use crate::manifest::{DocRef, Spanned, faults::Faults, nearest::nearest, set::Set};

pub(super) fn check(set: &Set<'_>, faults: &mut Faults<'_>) {
    for platform in &set.platforms {
        clusters(faults, platform);
        let spec = &platform.spec;
        unique(faults, platform.doc, "pools", spec.pools.iter().map(|pool| &pool.name));
        unique(faults, platform.doc, "workloads", spec.workloads.iter().map(|class| &class.name));
        unique(faults, platform.doc, "windows", spec.windows.iter().map(|window| &window.name));
        unique(faults, platform.doc, "channels", spec.channels.iter().map(|channel| &channel.name));
        windows(faults, platform);
        classes(faults, platform);
        variables(faults, platform);
    }
}

fn clusters(faults: &mut Faults<'_>, platform: &Spanned<Document<Platform>>) {
    let targets = platform.spec.targets.values();
    match targets.filter(|target| matches!(target, TargetSpec::Cluster(_))).count() {
        1 => {}
        0 => faults.error(
            codes::MANIFEST_BAD_VALUE,
            "the platform has no cluster",
            (platform.doc, "/spec/targets"),
            "empty",
            "name its cluster: `targets: {main: {cluster: {}}}`",
        ),
        more => faults.error(
            codes::MANIFEST_NOT_BUILT,
            format!("the platform has {more} clusters; more than one is not built yet"),
            (platform.doc, "/spec/targets"),
            "more than one",
            "compile each cluster as a platform of its own",
        ),
    }
}

fn unique<'a>(faults: &mut Faults<'_>, doc: DocRef, list: &str, names: impl Iterator<Item = &'a Name>) {
    let mut seen: Vec<&Name> = Vec::new();
    for (index, name) in names.enumerate() {
        if let Some(first) = seen.iter().position(|other| *other == name) {
            faults.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.{list}` has `{name}` twice"),
                (doc, &format!("/spec/{list}/{index}/name"), "the same name again"),
                (doc, &format!("/spec/{list}/{first}/name"), "first used here"),
                "give one of them another name",
            );
        }
        seen.push(name);
    }
}

fn windows(faults: &mut Faults<'_>, platform: &Spanned<Document<Platform>>) {
    // The bundled database, so that the same manifests read alike on every machine.
    let zones = TimeZoneDatabase::bundled();
    for (index, window) in platform.spec.windows.iter().enumerate() {
        let at = |field: &str| format!("/spec/windows/{index}/{field}");
        if zones.get(&window.zone).is_err() {
            let known: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
            let help = match nearest(&window.zone, known.iter().map(String::as_str)) {
                Some(zone) => format!("did you mean `{zone}`?"),
                None => "write the IANA name of a zone, such as Europe/Berlin or UTC".to_owned(),
            };
            let message = format!("the time zone `{}` is not known", window.zone);
            faults.error(
                codes::MANIFEST_BAD_VALUE,
                message,
                (platform.doc, &at("zone")),
                "not a time zone",
                help,
            );
        }
        if window.length.0 == Seconds(0) {
            let help = "give it a length, such as 4h";
            let message = format!("the window `{}` is over when it begins", window.name);
            faults.error(
                codes::MANIFEST_BAD_VALUE,
                message,
                (platform.doc, &at("length")),
                "no time at all",
                help,
            );
        } else if window.length.0 > WEEK {
            let help = "windows begin again every week; shorten it to 7d or less";
            let message = format!("the window `{}` is longer than a week", window.name);
            faults.error(codes::MANIFEST_BAD_VALUE, message, (platform.doc, &at("length")), "too long", help);
        }
    }
}

const WEEK: Seconds = Seconds::hours(7 * 24);

/// The first class that matches wins, so one that matches every pod hides those after it.
fn classes(faults: &mut Faults<'_>, platform: &Spanned<Document<Platform>>) {
    let classes = &platform.spec.workloads;
    for (index, class) in classes.iter().enumerate() {
        let select = &class.select;
        let all = select.namespaces.is_empty() && select.labels.is_empty() && select.owner_kinds.is_empty();
        if let (true, Some(next)) = (all, classes.get(index + 1)) {
            faults.pair(
                codes::MANIFEST_CONFLICT,
                format!("the class `{}` is never reached", next.name),
                (platform.doc, &format!("/spec/workloads/{}/name", index + 1), "no pod gets this far"),
                (platform.doc, &format!("/spec/workloads/{index}/select"), "this takes every pod"),
                "the first class that matches wins: put the one that takes every pod last",
            );
        }
        if let DrainSpec::Wait { max, .. } = &class.on_drain
            && max.0 == Seconds(0)
        {
            faults.error(
                codes::MANIFEST_BAD_VALUE,
                format!("the class `{}` waits no time at all", class.name),
                (platform.doc, &format!("/spec/workloads/{index}/onDrain/wait/max")),
                "no time at all",
                "give it a length, such as 6h, or choose another onDrain",
            );
        }
    }
}

/// Addresses of webhooks are secrets: the manifest names the variable that holds one.
fn variables(faults: &mut Faults<'_>, platform: &Spanned<Document<Platform>>) {
    for (index, channel) in platform.spec.channels.iter().enumerate() {
        let name = &channel.url_from_env;
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let help = match name.contains("://") {
            true => "an address is a secret: put it into a variable and write the variable's name",
            false => "names of variables have letters, digits and '_', such as SLACK_WEBHOOK",
        };
        faults.error(
            codes::MANIFEST_BAD_VALUE,
            format!("the channel `{}` does not name a variable", channel.name),
            (platform.doc, &format!("/spec/channels/{index}/urlFromEnv")),
            "not the name of a variable",
            help,
        );
    }
}
