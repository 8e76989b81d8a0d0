import { useEffect, useRef } from "preact/hooks";
import { ErrorBoundary, LocationProvider, lazy, Route, Router, useLocation } from "preact-iso";
import { SignIn, UserMenu } from "./parts/sign-in.js";
import { ThemeSwitch } from "./parts/theme.js";
import { isOnline } from "./server/http.js";
import { OverviewPage } from "./views/overview/overview-page.js";

const ExperimentPage = lazy(() =>
  import("./views/experiment/experiment-page.js").then(({ ExperimentPage }) => ExperimentPage),
);
const ComparePage = lazy(() =>
  import("./views/compare/compare-page.js").then(({ ComparePage }) => ComparePage),
);
const NewPage = lazy(() => import("./views/new/new-page.js").then(({ NewPage }) => NewPage));
const SweepsPage = lazy(() =>
  import("./views/sweeps/sweeps-page.js").then(({ SweepsPage }) => SweepsPage),
);
const SweepPage = lazy(() =>
  import("./views/sweeps/sweep-page.js").then(({ SweepPage }) => SweepPage),
);
const WorkersPage = lazy(() =>
  import("./views/workers/workers-page.js").then(({ WorkersPage }) => WorkersPage),
);

export function App() {
  return (
    <LocationProvider>
      <a class="skip-link" href="#content">
        Skip to the content
      </a>
      <Header />
      <OfflineBanner />
      <ErrorBoundary>
        <Content />
      </ErrorBoundary>
      <SignIn />
    </LocationProvider>
  );
}

function Content() {
  const { path } = useLocation();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const wentBack = useRef(false);

  // Dependencies: a new page takes the focus
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      // When the reader goes back, the browser restores the scroll position.
      if (!wentBack.current) scrollTo(0, 0);
    }
    isFirst.current = false;
    wentBack.current = false;
  }, [path]);

  useEffect(() => {
    const back = () => {
      wentBack.current = true;
    };
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);

  return (
    <main id="content" ref={main} tabIndex={-1}>
      <Router>
        <Route path="/" component={OverviewPage} />
        <Route path="/experiments/:id" component={ExperimentPage} />
        <Route path="/compare" component={ComparePage} />
        <Route path="/new" component={NewPage} />
        <Route path="/sweeps" component={SweepsPage} />
        <Route path="/sweeps/:id" component={SweepPage} />
        <Route path="/workers" component={WorkersPage} />
        <Route default component={NotFound} />
      </Router>
    </main>
  );
}

const LINKS = [
  ["/", "Experiments"],
  ["/sweeps", "Sweeps"],
  ["/workers", "Workers"],
] as const;

function Header() {
  const { path } = useLocation();
  return (
    <header class="site-header">
      <a class="brand" href="/">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <path
            fill="currentColor"
            d="M16 3c5.6 6.6 9 11 9 15.6a9 9 0 0 1-18 0C7 14 10.4 9.6 16 3z"
          />
        </svg>
        Stillhouse
      </a>
      <nav aria-label="Pages">
        {LINKS.map(([href, text]) => (
          <a key={href} href={href} aria-current={path === href ? "page" : undefined}>
            {text}
          </a>
        ))}
      </nav>
      <div class="site-tools">
        <ThemeSwitch />
        <UserMenu />
        <a class="button primary" href="/new">
          New<span class="from-tablet"> experiment</span>
        </a>
      </div>
    </header>
  );
}

function OfflineBanner() {
  return (
    <div role="status" class="banner-place">
      {isOnline.value ? null : (
        <p class="banner">
          The server does not answer. What you see is the last that it said; the page goes on by
          itself when it is back.
        </p>
      )}
    </div>
  );
}

function NotFound() {
  const { path } = useLocation();
  return (
    <div class="page">
      <h1>No such page</h1>
      <p>
        There is nothing at <code>{path}</code>. <a href="/">All experiments</a>
      </p>
    </div>
  );
}
