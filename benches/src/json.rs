//! `json` beside lua-cjson and Node: a list of pods of 1 MB as an API server sends it, and objects
//! of 200 bytes.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::{Failure, median, row};

/// What each side runs: its name, the expressions, the file, the repetitions. It prints the CPU
/// time of each in µs: parsing and encoding, the list and the object.
const LUA: &str = r#"
local parse, encode
if json then
    parse, encode = json.parse, json.encode
else
    local cjson = require("cjson")
    parse, encode = cjson.decode, cjson.encode
end
local file = assert(io.open(arg[1], "rb"))
local list = file:read("a")
file:close()
local small = arg[2]
local function time(count, f, value)
    f(value)
    collectgarbage()
    local start = os.clock()
    for _ = 1, count do f(value) end
    print((os.clock() - start) * 1e6 / count)
end
time(20, parse, list)
time(20, encode, parse(list))
time(50000, parse, small)
time(50000, encode, parse(small))
"#;

const NODE: &str = r#"
const list = require("fs").readFileSync(process.argv[2], "utf8");
const small = process.argv[3];
function time(count, f, value) {
    f(value);
    const start = process.cpuUsage();
    for (let i = 0; i < count; i++) f(value);
    const { user, system } = process.cpuUsage(start);
    console.log((user + system) / count);
}
time(20, JSON.parse, list);
time(20, JSON.stringify, JSON.parse(list));
time(50000, JSON.parse, small);
time(50000, JSON.stringify, JSON.parse(small));
"#;

/// An event of a webhook, say.
const SMALL: &str = r#"{"id":"5f0c7a52-96d4-4f0e-8a55-3c1f7e9b2d10","kind":"deploy","cluster":"eu-1","replicas":3,"ratio":0.75,"dry":false,"tags":["web","canary"],"at":"2026-11-22T03:35:37Z","by":{"name":"ci","run":81234}}"#;

const CASES: [(&str, &str); 4] = [
    ("`json.parse`, a list of pods of 1 MB", "MB/s"),
    ("`json.encode`, the same", "MB/s"),
    ("`json.parse`, an object of 200 bytes", "µs"),
    ("`json.encode`, the same", "µs"),
];

pub fn rows(dist: &Path) -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("assay-bench-json-{}", std::process::id()));
    fs_err::create_dir_all(&dir)?;
    let list = pods(1 << 20);
    let path = |name: &str| dir.join(name);
    fs_err::write(path("list.json"), &list)?;
    fs_err::write(path("bench.lua"), LUA)?;
    fs_err::write(path("bench.js"), NODE)?;
    let side = |program: &Path, script: &str| -> Result<Vec<f64>, Failure> {
        let output = Command::new(program)
            .arg(path(script))
            .arg(path("list.json"))
            .arg(SMALL)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let times: Vec<f64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
        if times.len() != CASES.len() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {why}", program.display()).into());
        }
        Ok(times)
    };
    let mut runs = Vec::new();
    for _ in 0..7 {
        runs.push([
            side(&dist.join("bin/assay"), "bench.lua")?,
            side(Path::new("lua5.4"), "bench.lua")?,
            side(Path::new("node"), "bench.js")?,
        ]);
    }
    for (other, name, goal) in [(1, "lua-cjson", "≤ 1"), (2, "Node", "")] {
        for (case, (what, unit)) in CASES.iter().enumerate() {
            let shown = |side: usize| {
                let time = median(runs.iter().map(|run| run[side][case]).collect());
                match *unit {
                    "µs" => format!("{time:.2} µs"),
                    _ => format!("{:.0} MB/s", list.len() as f64 / time),
                }
            };
            row(
                &format!("{what}, CPU, beside {name}"),
                shown(0),
                shown(other),
                Some(median(
                    runs.iter()
                        .map(|run| run[0][case] / run[other][case])
                        .collect(),
                )),
                goal,
            );
        }
    }
    fs_err::remove_dir_all(dir)?;
    Ok(())
}

/// A list of pods of at least so many bytes, written as an API server does, `managedFields` included.
fn pods(size: usize) -> String {
    let mut seed = 1_u64;
    let mut hex = |digits: usize| -> String {
        let mut out = String::new();
        while out.len() < digits {
            // Numbers of Knuth's MMIX: the same bytes in every run.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let _ = write!(out, "{:08x}", seed >> 32);
        }
        out.truncate(digits);
        out
    };
    let mut out = String::from(
        r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1576"},"items":["#,
    );
    for at in 0.. {
        if out.len() >= size {
            break;
        }
        if at > 0 {
            out.push(',');
        }
        let app = ["web", "worker", "billing", "search"][at % 4];
        let template = hex(10);
        let name = format!("{app}-{template}-{}", hex(5));
        let uid = format!("{}-{}-4{}-a{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12));
        let owner = format!("{}-{}-4{}-b{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12));
        let image = format!("registry.example.com/shop/{app}@sha256:{}", hex(64));
        let container = hex(64);
        let minute = at % 60;
        let _ = write!(
            out,
            concat!(
                r#"{{"metadata":{{"name":"{name}","generateName":"{app}-{template}-","namespace":"shop","uid":"{uid}","#,
                r#""resourceVersion":"{version}","generation":1,"creationTimestamp":"2026-11-21T23:{minute:02}:13Z","#,
                r#""labels":{{"app.kubernetes.io/name":"{app}","app.kubernetes.io/part-of":"shop","pod-template-hash":"{template}"}},"#,
                r#""annotations":{{"prometheus.io/scrape":"true","checksum/config":"{container}","#,
                r#""kubectl.kubernetes.io/restartedAt":"2026-11-20T10:{minute:02}:00+02:00"}},"#,
                r#""ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{app}-{template}","uid":"{owner}","controller":true,"blockOwnerDeletion":true}}],"#,
                r#""managedFields":[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-21T23:{minute:02}:13Z","fieldsType":"FieldsV1","#,
                r#""fieldsV1":{{"f:metadata":{{"f:annotations":{{".":{{}},"f:checksum/config":{{}}}},"f:labels":{{".":{{}},"f:pod-template-hash":{{}}}},"#,
                r#""f:ownerReferences":{{".":{{}},"k:{{\"uid\":\"{owner}\"}}":{{}}}}}},"f:spec":{{"f:containers":{{"k:{{\"name\":\"{app}\"}}":{{".":{{}},"f:image":{{}},"f:name":{{}},"#,
                r#""f:ports":{{".":{{}},"k:{{\"containerPort\":8080,\"protocol\":\"TCP\"}}":{{".":{{}},"f:containerPort":{{}},"f:protocol":{{}}}}}},"f:resources":{{}}}}}},"f:restartPolicy":{{}}}}}}}}]}},"#,
                r#""spec":{{"volumes":[{{"name":"config","configMap":{{"name":"{app}-config","defaultMode":420}}}},"#,
                r#"{{"name":"kube-api-access","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},{{"configMap":{{"name":"kube-root-ca.crt","items":[{{"key":"ca.crt","path":"ca.crt"}}]}}}}],"defaultMode":420}}}}],"#,
                r#""containers":[{{"name":"{app}","image":"{image}","args":["--listen=:8080","--log-format","json","--template","{{{{ .Values.name }}}}\n"],"#,
                r#""ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"#,
                r#""env":[{{"name":"POD_NAME","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.name"}}}}}},{{"name":"JAVA_OPTS","value":"-Xmx512m -Dname=\"{app}\""}},{{"name":"GREETING","value":"Grüße, wörld"}}],"#,
                r#""resources":{{"limits":{{"memory":"512Mi"}},"requests":{{"cpu":"250m","memory":"256Mi"}}}},"#,
                r#""volumeMounts":[{{"name":"config","readOnly":true,"mountPath":"/etc/{app}"}},{{"name":"kube-api-access","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"#,
                r#""livenessProbe":{{"httpGet":{{"path":"/healthz","port":"http","scheme":"HTTP"}},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"#,
                r#""terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{{"capabilities":{{"drop":["ALL"]}},"runAsUser":10001,"runAsNonRoot":true,"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}}}}],"#,
                r#""restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"{app}","nodeName":"node-{node}","securityContext":{{}},"schedulerName":"default-scheduler","#,
                r#""tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"#,
                r#""priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"#,
                r#""status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-21T23:{minute:02}:41Z"}},{{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-21T23:{minute:02}:13Z"}}],"#,
                r#""hostIP":"10.0.0.{node}","podIP":"10.42.{node}.{minute}","podIPs":[{{"ip":"10.42.{node}.{minute}"}}],"startTime":"2026-11-21T23:{minute:02}:13Z","#,
                r#""containerStatuses":[{{"name":"{app}","state":{{"running":{{"startedAt":"2026-11-21T23:{minute:02}:20Z"}}}},"lastState":{{}},"ready":true,"restartCount":{restarts},"image":"{image}","imageID":"{image}","containerID":"containerd://{container}","started":true}}],"qosClass":"Burstable"}}}}"#,
            ),
            name = name,
            app = app,
            template = template,
            uid = uid,
            version = 100_000 + at * 7,
            minute = minute,
            container = container,
            owner = owner,
            image = image,
            node = at % 9,
            restarts = at % 3,
        );
    }
    out.push_str("]}");
    out
}
