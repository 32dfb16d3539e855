//! Where an upgrade takes place: the server, its settings, its instance.

use switchback_schemas::{
    inventory::{
        rds::RdsInstance,
        servers::{Server, Settings},
    },
    name::ObjectRef,
};

/// Everything that the steps of one upgrade are made of.
#[derive(Clone, Debug)]
pub struct Site {
    /// The Deployment.
    pub(super) object: ObjectRef,
    /// How many replicas were observed.
    pub(super) replicas: u64,
    /// The server as it was observed.
    pub(super) server: Server,
    /// Its container's settings.
    pub(super) settings: Settings,
    /// The instance as it was observed.
    pub(super) instance: RdsInstance,
    /// The variable that holds the address.
    pub(super) variable: String,
    /// Whether the database has to be migrated: the heads differ, or one of them is not known.
    pub(super) migrates: bool,
    /// The head that the target demands.
    pub(super) head: String,
}

impl Site {
    /// The instance's host.
    pub(super) fn host(&self) -> &str {
        self.instance.endpoint.rsplit_once(':').map_or(self.instance.endpoint.as_str(), |(host, _)| host)
    }
}
