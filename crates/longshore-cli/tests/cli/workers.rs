use crate::rig::{Rig, json};

#[test]
fn a_server_is_a_worker_and_can_be_drained() {
    let rig = Rig::start();
    let name = rig.fine(&["workers", "ls", "-o", "name"]).trim().to_owned();
    let list = ["workers", "ls", "-o", "json"];
    let workers = rig.fine(&list);
    let worker = &json(&workers)[0];
    assert_eq!((&worker["worker"], &worker["status"]), (&name.as_str().into(), &"active".into()));
    assert_eq!(worker["slots"]["free"], 16, "{worker}");
    assert!(worker["kinds"].to_string().contains("demo.work"), "{worker}");
    rig.fine(&["workers", "drain", &name]);
    rig.until(&list, |workers| json(workers)[0]["status"] == "draining");
    assert_eq!(rig.run(&["workers", "drain", "nobody"]).code, 3);
}
