//! Instance types: what a machine of one holds.

use serde_json::{Value, json};

use crate::world::key::set;

/// Instance types that the twin knows.
pub(crate) fn capacity(instance: &str) -> Value {
    let size = instance.split('.').nth(1).unwrap_or_default();
    let cpus: u32 = match size {
        "large" => 2,
        "xlarge" => 4,
        "4xlarge" => 16,
        "8xlarge" => 32,
        "12xlarge" => 48,
        "16xlarge" => 64,
        "24xlarge" => 96,
        "48xlarge" => 192,
        _ => 8,
    };
    let gpus = match instance {
        i if i.starts_with("p4") || i.starts_with("p5") => 8,
        i if i.starts_with("g5.48") || i.starts_with("g6.48") => 8,
        i if i.starts_with('g') => 1,
        _ => 0,
    };
    let mut all = json!({"cpu": cpus.to_string(), "memory": format!("{}Gi", cpus * 4), "pods": "110"});
    if gpus > 0 {
        set(&mut all, &["nvidia.com/gpu"], gpus.to_string().into());
    }
    all
}
