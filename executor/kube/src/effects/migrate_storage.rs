//! `kube.migrate-storage`: writes every object of a CRD back unchanged, then lists only the storage version as stored
//! (user-pain P-12).

use serde_json::{Value, json};
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Class, Outcome},
    name::{ObjectName, ObjectRef},
    plan::MigrateStorage,
};

use crate::{
    api::{Kinds, MANAGER, PatchKind, Query, Resource, Sought, Writer, object_path, query_path},
    classify::CallError,
    conditions::stored::{self, CRD_KIND, CRD_VERSION},
    fields,
    target::{done, not_done, refused},
};

/// Times that one object is read and written again because somebody changed it in between.
const ANEW: u32 = 5;

pub(super) async fn run(api: &Writer, effect: &MigrateStorage) -> Result<Outcome, CallError> {
    let named = ObjectRef::new(CRD_VERSION, CRD_KIND, &ObjectName::cluster(&effect.crd));
    let kinds = Kinds::new(&api.read);
    let crds = kinds.of(&named).await?;
    let sought = Sought::new(&crds, None, &effect.crd);
    let Some(crd) = api.read.look(sought).await? else {
        return Ok(refused(format!("{named} does not exist")));
    };
    if stored::storage_version(&crd) != Some(effect.to.as_str()) {
        return Ok(refused(format!("{named} does not store {}: migrating would change nothing", effect.to)));
    }
    if stored::stored_versions(&crd) == [effect.to.as_str()] {
        return Ok(done(format!("{named} lists only {} already", effect.to)));
    }
    let resource = stored::resource(&crd, &effect.to);
    let written = match rewrite(api, &resource).await {
        Ok(written) => written,
        // Objects that were written back are the same objects, so nothing is half done.
        Err(Stopped::Read(error)) => return Ok(error.of_read()),
        Err(Stopped::Write(error)) => return Ok(error.of_write()),
        Err(Stopped::Contended(name)) => {
            return Ok(not_done(Class::Conflict, format!("{name} changes all the time")));
        }
    };
    // New objects are stored in the storage version, so nothing older can appear between the last page and this.
    let path = query_path(
        &object_path(&crds, None, Some(&effect.crd), Some("status"))?,
        &[("fieldManager", MANAGER)],
    );
    let change = json!({
        "metadata": {"resourceVersion": crd.pointer("/metadata/resourceVersion")},
        "status": {"storedVersions": [effect.to]},
    });
    Ok(match api.patch((sought, &path), PatchKind::Merge, &change).await {
        Ok(_) => done(format!("{written} objects of {} are stored as {}", effect.crd, effect.to)),
        Err(error) => error.of_write(),
    })
}

/// Where rewriting stopped.
enum Stopped {
    Read(CallError),
    Write(CallError),
    Contended(String),
}

async fn rewrite(api: &Writer, resource: &Resource) -> Result<u64, Stopped> {
    let mut written = 0;
    let mut next = String::new();
    loop {
        let page = api.read.page(resource, &Query::all(), &next).await;
        let (objects, after) = match page {
            Ok(page) => page,
            // The list became too old. What is written already is written again, unchanged.
            Err(error) if error.is_expired() && !next.is_empty() => {
                next.clear();
                written = 0;
                continue;
            }
            Err(error) => return Err(Stopped::Read(error)),
        };
        for object in objects {
            write_back(api, resource, object).await?;
            written += 1;
        }
        if after.is_empty() {
            return Ok(written);
        }
        next = after;
    }
}

async fn write_back(api: &Writer, resource: &Resource, mut object: Value) -> Result<(), Stopped> {
    let (namespace, name) =
        (fields::text(&object, "/metadata/namespace"), fields::text(&object, "/metadata/name"));
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    let name = name.to_owned();
    let sought = Sought::new(resource, namespace.as_deref(), &name);
    let path = sought.path().map_err(Stopped::Read)?;
    for _ in 0..ANEW {
        match api.put(&query_path(&path, &[("fieldManager", MANAGER)]), &object).await {
            Ok(_) => return Ok(()),
            Err(error) if sought.is_gone(&error) => return Ok(()),
            Err(error) if error.is_conflict() => match api.read.look(sought).await.map_err(Stopped::Read)? {
                Some(present) => object = present.into_object(),
                None => return Ok(()),
            },
            Err(error) => return Err(Stopped::Write(error)),
        }
    }
    Err(Stopped::Contended(format!("{} {name}", resource.kind)))
}
