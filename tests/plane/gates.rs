//! A gate turns red on real errors and real latency, and green without them.

use super::Shop;
use crate::support::client::Load;
use crate::support::eventually;
use crate::support::prometheus::query;

/// What is asked of the candidate, on which image, and how it must end.
struct Case {
    per_second: u32,
    image: &'static str,
    require: &'static [&'static str],
    status: i32,
    says: &'static str,
}

const CASES: [Case; 5] = [
    Case {
        per_second: 120,
        image: "shop/carts:2",
        require: &["success-rate>=90", "error-rate<=stable+10%", "p95<500ms", "rps>=1"],
        status: 0,
        says: "pass: all of 4 proven",
    },
    Case {
        per_second: 30,
        image: "shop/carts:2-err50",
        require: &["success-rate>=90"],
        status: 10,
        says: "fail: success-rate>=90",
    },
    Case {
        per_second: 30,
        image: "shop/carts:2-err50",
        require: &["error-rate<=stable+1%"],
        status: 10,
        says: "fail: error-rate<=stable+1%",
    },
    Case { per_second: 30, image: "shop/carts:0.6.1", require: &["p95<500ms"], status: 10, says: "fail: p95<500ms" },
    Case { per_second: 30, image: "shop/carts:0.6.1", require: &["p95<=stable*2"], status: 10, says: "fail: p95<=stable*2" },
];

/// All at once: what takes time are the scrapes.
#[test]
fn a_candidate_is_judged_by_what_it_does() {
    let shops: Vec<Option<Shop>> = std::thread::scope(|scope| {
        let opening: Vec<_> = CASES.iter().map(|case| scope.spawn(|| Shop::open("shop/carts:1", case.image))).collect();
        opening.into_iter().map(|one| one.join().expect("it opens")).collect()
    });
    std::thread::scope(|scope| {
        for (case, shop) in CASES.iter().zip(&shops) {
            let Some(shop) = shop else { continue };
            scope.spawn(|| case.holds(shop));
        }
    });
}

impl Case {
    fn holds(&self, shop: &Shop) {
        shop.tidegate("shift carts --weights 50/50").succeeds();
        let load = Load::new(&shop.plane.envoy, &shop.host, self.per_second);
        let series = format!(r#"istio_requests_total{{destination_service="{}.svc.cluster.local"}}"#, shop.host);
        eventually("both sides are scraped", || (query(&shop.plane.prometheus, &series, None).len() >= 2).then_some(()));
        std::thread::scope(|scope| {
            for metrics in ["istio", "envoy"] {
                scope.spawn(move || self.judges(shop, metrics));
            }
        });
        drop(load);
    }

    /// No URL is given: Prometheus is found in the cluster and reached through the API server.
    fn judges(&self, shop: &Shop, metrics: &str) {
        let line = format!("evaluate carts --timeframe 10s --timeout 28s --metrics {metrics}");
        let run = self.require.iter().fold(shop.tidegate(&line), |run, one| run.arg("--require").arg(*one));
        let output = run.run();
        assert_eq!(output.status, Some(self.status), "{} {:?} {metrics}: {output}", self.image, self.require);
        assert!(output.stdout.contains(self.says), "{} {:?} {metrics}: {output}", self.image, self.require);
        assert!(output.stderr.contains("asking monitoring/prometheus-service through the API server"), "{output}");
    }
}
