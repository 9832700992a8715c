// Entry: the frame is the first chunk; pages, charts and editors are read when they are opened.
import { render } from "preact";

import { Frame } from "./app/frame";
import "./styles.css";

const root = document.getElementById("app")!;
root.textContent = "";
render(<Frame />, root);
