import { buildConversation, CONVERSATION_ROWS } from './conversation.ts';
import type { PanelPlan } from './panels.ts';

/** The dashboards by the name of their file in `dashboards/`, each as the JSON that Grafana imports. */
export const renderDashboards = (): Readonly<Record<string, string>> => ({
  conversation: `${JSON.stringify(buildConversation(), null, 2)}\n`,
});

/** What all dashboards show. */
export const allPanels = (): readonly PanelPlan[] => Object.values(CONVERSATION_ROWS).flat();
