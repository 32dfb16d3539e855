//! Which nodes move next: a pure function of a roll's rule, where it stands, and the nodes that are there.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    ItemKey,
    journal::{Item, WaitsFor},
    plan::{OrderKey, Roll},
};

use crate::{machine::RollState, ports::Member};

/// What a roll does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It takes these nodes.
    Batch {
        /// The pass.
        pass: u32,
        /// The batch; 0 for canaries.
        number: u32,
        /// The nodes, in order.
        items: Vec<Item>,
    },
    /// No node has to move any more.
    Converged,
    /// Nothing may be taken now.
    Wait(WaitsFor),
    /// It has made all its passes, and nodes still have to move.
    Stuck(String),
}

/// Chooses. `members` are all nodes of the pool.
///
/// Nodes that share a gang move together. A batch may be larger than the rule's only if a single gang is; the budget of
/// unavailable nodes and the min ready hold always.
pub fn choose(roll: &Roll, state: &RollState, members: &[Member]) -> Choice {
    let to_move: Vec<&Member> = members.iter().filter(|member| member.stale).collect();
    if to_move.is_empty() {
        return Choice::Converged;
    }
    let of_pass = |pass: u32, member: &Member| {
        let taken = state.moved.get(&member.item.key).is_some_and(|(earlier, _)| *earlier == pass);
        let young = pass == state.pass && state.pass_began.is_some_and(|began| member.created > began);
        !taken && !young
    };
    let mut pass = state.pass.max(1);
    let mut open: Vec<&Member> = to_move.iter().filter(|member| of_pass(pass, member)).copied().collect();
    if open.is_empty() {
        pass = state.pass.saturating_add(1);
        open.clone_from(&to_move);
    }
    if pass > roll.max_passes.max(1) {
        let names: Vec<_> = to_move.iter().take(5).map(|member| member.item.name.as_str()).collect();
        let passes = roll.max_passes.max(1);
        let text =
            format!("after {passes} passes {} nodes still have to move: {}", to_move.len(), names.join(", "));
        return Choice::Stuck(text);
    }

    let groups = gangs(&ordered(roll, &open));
    let lacks_canary = |member: &Member| !state.canaries.contains(&member.item.hardware);
    let canary =
        roll.canary.as_ref().filter(|canary| canary.nodes > 0 && open.iter().any(|one| lacks_canary(one)));
    let picked = if let Some(canary) = canary {
        let mut left: BTreeMap<&str, u64> = BTreeMap::new();
        for member in open.iter().filter(|member| lacks_canary(member)) {
            left.insert(&member.item.hardware, canary.nodes);
        }
        // Nodes without a gang first: a canary is to disturb as little as it can.
        let (alone, gangs): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.len() == 1);
        fill(alone.into_iter().chain(gangs), roll, members, |group| {
            let wanted = group.iter().any(|m| left.get(m.item.hardware.as_str()).is_some_and(|n| *n > 0));
            for member in group.iter().filter(|_| wanted) {
                if let Some(left) = left.get_mut(member.item.hardware.as_str()) {
                    *left = left.saturating_sub(1);
                }
            }
            wanted
        })
    } else {
        let size = roll.batch.of(members.len() as u64).max(1);
        let mut taken = 0;
        fill(groups.into_iter(), roll, members, |group| {
            let len = group.len() as u64;
            let fits = taken == 0 || taken + len <= size;
            taken += if fits { len } else { 0 };
            fits
        })
    };
    if picked.is_empty() {
        let message = format!(
            "no node of pool {} can be moved within its budget: {} of {} are Ready, min ready is {}",
            roll.pool,
            members.iter().filter(|member| member.available).count(),
            members.len(),
            roll.min_ready
        );
        return Choice::Wait(WaitsFor::Capacity { message });
    }
    let number = if canary.is_some() { 0 } else { state.batches.saturating_add(1) };
    Choice::Batch { pass, number, items: picked.into_iter().map(|member| member.item.clone()).collect() }
}

/// Takes groups, in order, that are wanted and that the pool's budget and min ready allow.
fn fill<'m>(
    groups: impl Iterator<Item = Vec<&'m Member>>,
    roll: &Roll,
    members: &[Member],
    mut wanted: impl FnMut(&[&Member]) -> bool,
) -> Vec<&'m Member> {
    let total = members.len() as u64;
    let available = members.iter().filter(|member| member.available).count() as u64;
    let budget = roll.max_unavailable.of(total);
    let mut picked: Vec<&Member> = Vec::new();
    for group in groups {
        let falls = picked.iter().chain(&group).filter(|member| member.available).count() as u64;
        let away = total - available + falls;
        // A node that is away already costs nothing; it may move even when the budget is used up.
        let allowed = falls == 0 || (away <= budget && available - falls >= roll.min_ready);
        if allowed && wanted(&group) {
            picked.extend(group);
        }
    }
    picked
}

/// Nodes in the rule's order; ties go by UID.
fn ordered<'m>(roll: &Roll, members: &[&'m Member]) -> Vec<&'m Member> {
    let mut sorted = members.to_vec();
    sorted.sort_by(|a, b| a.item.key.cmp(&b.item.key));
    // The first key weighs most, so it is sorted by last; sorting is stable.
    for key in roll.order.iter().rev() {
        match key {
            OrderKey::LeastProtected => sorted.sort_by_key(|member| member.protected),
            OrderKey::FewestPods => sorted.sort_by_key(|member| member.pods),
            OrderKey::Oldest => sorted.sort_by_key(|member| member.created),
            OrderKey::ZoneSpread => {
                let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
                let mut rank: BTreeMap<&ItemKey, u64> = BTreeMap::new();
                for member in &sorted {
                    let next = seen.entry(&member.item.zone).or_default();
                    rank.insert(&member.item.key, *next);
                    *next += 1;
                }
                sorted.sort_by_key(|member| rank.get(&member.item.key).copied().unwrap_or_default());
            }
        }
    }
    sorted
}

/// Nodes that share a gang, directly or through others, as one group; groups in the order of their first node.
fn gangs<'m>(members: &[&'m Member]) -> Vec<Vec<&'m Member>> {
    let mut groups = Vec::new();
    let mut left: Vec<&Member> = members.to_vec();
    while let Some(first) = left.first().copied() {
        let mut gangs: BTreeSet<&str> = first.gangs.iter().map(String::as_str).collect();
        loop {
            let joined =
                left.iter().filter(|member| member.gangs.iter().any(|gang| gangs.contains(gang.as_str())));
            let more: BTreeSet<&str> =
                joined.flat_map(|member| member.gangs.iter().map(String::as_str)).collect();
            if more.is_subset(&gangs) {
                break;
            }
            gangs.extend(more);
        }
        let inside = |member: &&Member| {
            member.item.key == first.item.key || member.gangs.iter().any(|gang| gangs.contains(gang.as_str()))
        };
        let (group, rest) = left.into_iter().partition(inside);
        groups.push(group);
        left = rest;
    }
    groups
}
