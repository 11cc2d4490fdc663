//! The disk fails at every step of a store's work: once, or until it is repaired.

use std::collections::HashSet;

use crate::{
    disk::{
        self,
        platter::{Platter, Survivors},
        recorder::{Fault, Plan, Recorder},
    },
    power_loss::{Cuts, STORE, check, written},
    script::Script,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_fails_once() {
    at_every_step("EIO once", Fault::Broken, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_fails_until_the_disk_is_repaired() {
    at_every_step("EIO until repaired", Fault::Broken, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full_for_one_write() {
    at_every_step("ENOSPC once", Fault::Full, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full_until_there_is_room() {
    at_every_step("ENOSPC until there is room", Fault::Full, true).await;
}

/// The fault hits the first step, then, from the start, the second, and so on until the work has no more steps.
async fn at_every_step(what: &str, fault: Fault, lasting: bool) {
    let mut failed = 0;
    for step in 1.. {
        let hit = work(Plan { fault, step, lasting }).await;
        if hit == 0 {
            println!("{what}: at each of {} steps, {failed} failures", step - 1);
            assert!(step > 50, "{step} steps");
            return;
        }
        failed += hit;
    }
}

/// Does the work on a disk that fails; answers how often it did.
async fn work(plan: Plan) -> u64 {
    let folder = disk::folder();
    let mut platter = Platter::of(folder.path(), plan.step);
    let (recorder, attached) = Recorder::attach(folder.path());
    recorder.fail(plan);
    Script::new(folder.path().join(STORE), &recorder).run().await;
    drop(attached);
    let failed = recorder.repair();

    let mut cuts = Cuts::default();
    recorder.entries().iter().for_each(|entry| cuts.apply(&mut platter, entry));
    match failed {
        0 => {}
        // What a failed sync lost is found out when the power is cut at last.
        _ if plan.step.is_multiple_of(2) => {
            let image = platter.after_power_cut(Survivors::AnySectors);
            check(written(&image), cuts.promises(), &format!("with {plan:?}, when the power is cut")).await;
        }
        _ => check(folder, cuts.promises(), &format!("with {plan:?}")).await,
    }
    failed
}

/// A disk that fails once may leave a store as it never is otherwise; it must be one that a power cut does not harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_fails_while_the_store_is_created_and_then_the_power_is_cut() {
    let mut disks = 0;
    for step in 1.. {
        let folder = disk::folder();
        let mut platter = Platter::of(folder.path(), step);
        let (recorder, attached) = Recorder::attach(folder.path());
        let plan = Plan { fault: Fault::Broken, step, lasting: false };
        recorder.fail(plan);
        Script::new(folder.path().join(STORE), &recorder).create().await;
        drop(attached);
        if recorder.repair() == 0 {
            break;
        }
        let mut cuts = Cuts::default();
        let mut seen = HashSet::new();
        for entry in recorder.entries() {
            cuts.apply(&mut platter, &entry);
            for survivors in [Survivors::Nothing, Survivors::Everything] {
                let image = platter.after_power_cut(survivors);
                if image.contains_key(STORE) && seen.insert(image.clone()) {
                    disks += 1;
                    check(written(&image), cuts.promises(), &format!("with {plan:?} while it is created"))
                        .await;
                }
            }
        }
    }
    println!("EIO once while a store is created, and a power cut: {disks} disks");
    assert!(disks > 100, "{disks} disks");
}
