// Lays the service map out off the page's thread.
import { Graph, layout } from "@dagrejs/dagre";

export interface LayoutInput {
  nodes: { id: string; width: number; height: number }[];
  edges: { from: string; to: string }[];
}
export interface LayoutOutput {
  width: number;
  height: number;
  nodes: Record<string, { x: number; y: number }>;
  edges: { from: string; to: string; points: { x: number; y: number }[] }[];
}

onmessage = (event: MessageEvent<LayoutInput>) => {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 110, marginx: 20, marginy: 20 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const n of event.data.nodes) graph.setNode(n.id, { width: n.width, height: n.height });
  for (const e of event.data.edges) graph.setEdge(e.from, e.to);
  layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  const out: LayoutOutput = {
    width: size.width ?? 100,
    height: size.height ?? 100,
    nodes: Object.fromEntries(graph.nodes().map((id: string) => [id, graph.node(id) as { x: number; y: number }])),
    edges: graph.edges().map((e: { v: string; w: string }) => ({ from: e.v, to: e.w, points: (graph.edge(e) as { points: { x: number; y: number }[] }).points })),
  };
  postMessage(out);
};
