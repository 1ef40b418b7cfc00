use std::collections::BTreeMap;
use std::time::Instant;
use tract_onnx::prelude::tract_data::knobs;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
fn main() {
    let mut args = std::env::args().skip(1);
    let onnx_path = args.next().unwrap();
    let runs: usize = args.next().map_or(3, |a| a.parse().unwrap());
    let detail = args.next().is_some();
    let _ = knobs::list();
    let bytes = std::fs::read(onnx_path).unwrap();
    let m = onnx().model_for_read(&mut &bytes[..]).unwrap().into_typed().unwrap().into_optimized().unwrap();
    let plan = m.into_runnable().unwrap();
    let shape: Vec<usize> = plan.model().input_fact(0).unwrap().shape.as_concrete().unwrap().to_vec();
    let n: usize = shape.iter().product();
    let data: Vec<f32> = (0..n).map(|i| ((i * 37) % 255) as f32 / 127.5 - 1.0).collect();
    let t = Tensor::from_shape(&shape, &data).unwrap().into_tvalue();
    let mut best: BTreeMap<usize, f64> = BTreeMap::new();
    let mut tot = f64::MAX;
    for _ in 0..runs {
        let mut st = plan.spawn().unwrap();
        let b = Instant::now();
        st.run_plan_with_eval(tvec!(t.clone()), |c, s, node, i| {
            let b = Instant::now();
            let r = eval(c, s, node, i);
            let e = b.elapsed().as_secs_f64() * 1e3;
            let x = best.entry(node.id).or_insert(f64::MAX);
            *x = x.min(e);
            r
        })
        .unwrap();
        tot = tot.min(b.elapsed().as_secs_f64() * 1e3);
    }
    let mut by_op: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (id, t) in &best {
        let node = plan.model().node(*id);
        let e = by_op.entry(node.op.name().to_string()).or_default();
        e.0 += t;
        e.1 += 1;
        if detail && *t > 1.0 {
            println!(
                "{t:8.1} ms {:20} {} {:?}",
                node.op.name(),
                node.name,
                plan.model()
                    .node_output_facts(*id)
                    .unwrap()
                    .iter()
                    .map(|f| format!("{f:?}"))
                    .collect::<Vec<_>>()
            );
            println!("      {:?}", node.op.info().unwrap());
        }
    }
    println!("total best {tot:.0} ms");
    for (k, (t, n)) in by_op {
        println!("{t:9.1} ms {n:4} {k}");
    }
}
