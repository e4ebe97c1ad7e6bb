/** Strongly connected components: Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput. 1(2), 1972), without recursion. */
import type { Graph } from '../isolation/graph.ts';

/** Components with two nodes or more; empty when the graph has no circle (no arrow leads to its own node). */
export function circularComponents({ nodeCount, first, target }: Graph): number[][] {
  const index = new Int32Array(nodeCount);
  const low = new Int32Array(nodeCount);
  const place = first.slice(0, nodeCount);
  const closed = new Uint8Array(nodeCount);
  const stack: number[] = [];
  const path: number[] = [];
  const components: number[][] = [];
  let counter = 0;
  for (let root = 0; root < nodeCount; root++) {
    if (index[root] !== 0) continue;
    path.push(root);
    while (path.length > 0) {
      const node = path[path.length - 1];
      if (index[node] === 0) {
        index[node] = low[node] = ++counter;
        stack.push(node);
      }
      let child = -1;
      while (place[node] < first[node + 1]) {
        const to = target[place[node]++];
        if (index[to] === 0) {
          child = to;
          break;
        }
        if (closed[to] === 0 && low[to] < low[node]) low[node] = low[to];
      }
      if (child >= 0) {
        path.push(child);
        continue;
      }
      path.pop();
      if (path.length > 0 && low[node] < low[path[path.length - 1]]) low[path[path.length - 1]] = low[node];
      if (low[node] !== index[node]) continue;
      const component: number[] = [];
      for (;;) {
        const member = stack.pop() ?? node;
        closed[member] = 1;
        component.push(member);
        if (member === node) break;
      }
      if (component.length > 1) components.push(component);
    }
  }
  return components;
}
