use crate::rig::Rig;

#[test]
fn what_failed_for_good_is_listed_and_retried() {
    let rig = Rig::start();
    let id = rig.failed();
    rig.ended("{}");
    assert_eq!(rig.fine(&["dead-letters", "ls", "-o", "name"]).trim(), id);
    assert_eq!(rig.fine(&["dead-letters", "ls", "--error", "timeout", "-o", "name"]), "");
    rig.fine(&["dead-letters", "retry", &id]);
    assert_eq!(rig.run(&["tasks", "wait", &id, "--timeout", "20s"]).code, 0);
}

#[test]
fn nothing_is_discarded_unasked() {
    let rig = Rig::start();
    let id = rig.failed();
    let refused = rig.run(&["dead-letters", "discard", &id]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("discard 1 task") && refused.err.contains("--yes"));
    assert_eq!(rig.feed(&["dead-letters", "discard", "-"], &id).code, 2);
    assert_eq!(rig.fine(&["dead-letters", "discard", &id, "--dry-run", "-o", "name"]).trim(), id);
    assert_eq!(rig.status(&id), "failed");
    rig.fine(&["dead-letters", "discard", &id, "--yes"]);
    assert_eq!(rig.status(&id), "cancelled");
}
