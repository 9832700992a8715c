// The list of pages: navigation, routes and jump keys come from here. Every page is a lazy chunk.
import type { ComponentType } from "preact";

export interface PageEntry {
  path: string[]; // what follows "#/"
  title: string;
  icon: string; // path data of a 24 x 24 stroke icon
  key?: string; // g then this key jumps here
  group: "Look" | "Logs" | "Traces" | "Notify" | "Server";
  load: () => Promise<{ default: ComponentType }>;
}

export const pages: PageEntry[] = [
  { path: ["start"], title: "Get started", group: "Look", icon: "M5 12h14M13 6l6 6-6 6", load: () => import("../pages/start") },
  { path: ["overview"], title: "Overview", key: "o", group: "Look", icon: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z", load: () => import("../pages/overview") },
  { path: ["metrics"], title: "Metrics", key: "m", group: "Look", icon: "M4 19V5M4 19h16M7 15l4-5 3 3 5-7", load: () => import("../pages/metrics") },
  { path: ["dashboards"], title: "Dashboards", key: "d", group: "Look", icon: "M4 4h16v16H4zM4 10h16M10 10v10", load: () => import("../pages/dashboards") },
  { path: ["alarms"], title: "Alarms", key: "a", group: "Look", icon: "M12 4a6 6 0 0 1 6 6v4l2 3H4l2-3v-4a6 6 0 0 1 6-6zM10 20h4", load: () => import("../pages/alarms") },
  { path: ["logs", "groups"], title: "Log groups", group: "Logs", icon: "M5 5h14M5 10h14M5 15h9M5 20h6", load: () => import("../pages/log_groups") },
  { path: ["logs", "insights"], title: "Logs Insights", key: "l", group: "Logs", icon: "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5", load: () => import("../pages/insights") },
  { path: ["logs", "tail"], title: "Live tail", group: "Logs", icon: "M4 6h16M4 12h10M4 18h7M18 14v6M15 17l3 3 3-3", load: () => import("../pages/tail") },
  { path: ["traces"], title: "Traces", key: "t", group: "Traces", icon: "M4 6h9M8 12h9M13 18h7", load: () => import("../pages/traces") },
  { path: ["map"], title: "Service map", key: "s", group: "Traces", icon: "M5 12a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM15 6a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM15 18a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM9 11l6-4M9 13l6 4", load: () => import("../pages/map") },
  { path: ["sampling"], title: "Sampling and groups", group: "Traces", icon: "M4 5h16l-6 8v6l-4-2v-4z", load: () => import("../pages/sampling") },
  { path: ["topics"], title: "Topics", group: "Notify", icon: "M4 10v4l10 5V5zM14 9a4 4 0 0 1 0 6M6 14v5h3v-4", load: () => import("../pages/topics") },
  { path: ["outbox"], title: "Outbox", group: "Notify", icon: "M4 6h16v12H4zM4 7l8 6 8-6", load: () => import("../pages/outbox") },
  { path: ["requests"], title: "Requests", group: "Server", icon: "M7 8L3 12l4 4M17 8l4 4-4 4M14 5l-4 14", load: () => import("../pages/requests") },
  { path: ["faults"], title: "Faults", group: "Server", icon: "M12 4l9 16H3zM12 10v4M12 17v.5", load: () => import("../pages/faults") },
  { path: ["usage"], title: "Usage and cost", group: "Server", icon: "M12 4v16M16 8a4 3 0 0 0-8 0c0 4 8 3 8 7a4 3 0 0 1-8 0", load: () => import("../pages/usage") },
  { path: ["storage"], title: "Disk and retention", group: "Server", icon: "M4 7c0-4 16-4 16 0v10c0 4-16 4-16 0zM4 12c0 4 16 4 16 0", load: () => import("../pages/storage") },
  { path: ["keys"], title: "Keys and policies", group: "Server", icon: "M14 10a4 4 0 1 0-3.5 4L13 16.500h2V19h3v-3l-4-4z", load: () => import("../pages/keys") },
  { path: ["settings"], title: "Settings and health", group: "Server", icon: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v3M12 18v3M3 12h3M18 12h3", load: () => import("../pages/settings") },
];

export function entryOf(path: string[]): PageEntry | undefined {
  // The longest entry that the path begins with.
  return pages
    .filter((p) => p.path.every((part, i) => path[i] === part))
    .sort((a, b) => b.path.length - a.path.length)[0];
}
