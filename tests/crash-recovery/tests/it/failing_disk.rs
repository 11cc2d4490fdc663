//! The disk fails at every step of a store's work: once, or until it is repaired.

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
    if failed > 0 {
        // What a failed sync lost is found out when the power is cut at last.
        let image = platter.after_power_cut(Survivors::AnySectors);
        check(written(&image), cuts.promises(), &format!("with {plan:?}, when the power is cut")).await;
        check(folder, cuts.promises(), &format!("with {plan:?}")).await;
    }
    failed
}

/// A store that was created on a failing disk, and then the power is cut at every step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_fails_while_the_store_is_created_and_then_the_power_is_cut() {
    let mut cuts = Cuts::default();
    for step in 1.. {
        let folder = disk::folder();
        let mut platter = Platter::of(folder.path(), step);
        let (recorder, attached) = Recorder::attach(folder.path());
        recorder.fail(Plan { fault: Fault::Broken, step, lasting: false });
        Script::new(folder.path().join(STORE), &recorder).create().await;
        drop(attached);
        if recorder.repair() == 0 {
            break;
        }
        cuts.forget_promises();
        for entry in recorder.entries() {
            cuts.step(&mut platter, &entry, &[Survivors::Nothing, Survivors::Everything]).await;
        }
    }
    println!("EIO once while a store is created, and a power cut: {} different disks", cuts.disks());
    assert!(cuts.disks() > 20);
}
