// Entry: the frame is the first chunk; pages, charts and editors are read when they are opened.
import { render } from "preact";

import { Frame } from "./app/frame";
import { readSession } from "./app/session";
import "./styles.css";

const root = document.getElementById("app")!;
// Whether one must sign in is known before any page asks for anything.
void readSession().then(() => {
  root.textContent = "";
  render(<Frame />, root);
});
