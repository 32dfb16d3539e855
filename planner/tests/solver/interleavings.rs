//! Hops of the acceptance case in any order that the path allows, up and down: no state breaks a hard fact. Undone in reverse
//! the states are the same.

use crate::{
    platform::{ALL, path},
    states::{Hop, State, broken, walk},
    world::registry,
};

#[test]
fn every_order_that_the_path_allows_keeps_every_state_valid() {
    let catalog = registry().catalog();
    let mut older = ALL;
    older[0].1 = "1.29";
    older[1].1 = "0.37.0";
    for (upgrades, as_of) in [(ALL, "2026-11-20"), (older, "2026-01-15")] {
        let path = path(&upgrades, as_of).expect("a path");
        let position = |id: &String| path.hops.iter().position(|hop| hop.id == *id).expect("a hop");
        let hops: Vec<Hop> = path
            .hops
            .iter()
            .map(|hop| Hop {
                component: hop.component.clone(),
                from: hop.from.clone(),
                to: hop.to.clone(),
                after: hop.after.iter().map(|after| position(&after.hop)).collect(),
            })
            .collect();
        let start: State =
            path.targets.iter().map(|target| (target.component.clone(), vec![target.from.clone()])).collect();
        let mut looked = 0;
        for seed in 0..200 {
            walk(&hops, &start, seed, |state, told| {
                looked += 1;
                assert_eq!(broken(catalog, state), Vec::<String>::new(), "{told}");
            });
        }
        assert!(looked >= 200 * (2 * hops.len() + 1));

        // The walk can fail: without the order some state breaks a fact.
        let free: Vec<Hop> = hops.into_iter().map(|hop| Hop { after: Vec::new(), ..hop }).collect();
        let mut bad = 0;
        for seed in 0..20 {
            walk(&free, &start, seed, |state, _| bad += usize::from(!broken(catalog, state).is_empty()));
        }
        assert!(bad > 0);
    }
}
