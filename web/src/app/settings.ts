// What the reader chose for this browser: theme, time zone, account and region.
import { effect, signal } from "@preact/signals";

import { route } from "./router";

export function stored<T extends string>(key: string, fallback: T) {
  let initial = fallback;
  try {
    initial = (localStorage.getItem("fogwatch." + key) as T | null) ?? fallback;
  } catch {
    // A browser may refuse storage; then the choice lasts as long as the page.
  }
  const value = signal<T>(initial);
  effect(() => {
    try {
      localStorage.setItem("fogwatch." + key, value.value);
    } catch {
      // As above.
    }
  });
  return value;
}

export type Theme = "auto" | "light" | "dark";
export const theme = stored<Theme>("theme", "auto");
export const zone = stored<"utc" | "local">("zone", "local");
export const navOpen = stored<"yes" | "no">("nav", "yes");
export const region = stored<string>("region", "us-east-1");
export const account = stored<string>("account", "000000000000");

const darkMedia = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(false);
function applyTheme() {
  dark.value = theme.value === "dark" || (theme.value === "auto" && darkMedia.matches);
  document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
}
effect(applyTheme);
darkMedia.addEventListener("change", applyTheme);

// A link may carry region and account; they win over what was stored.
effect(() => {
  const fromLink = route.value.params;
  const r = fromLink.get("region");
  const a = fromLink.get("account");
  if (r) region.value = r;
  if (a) account.value = a;
});
