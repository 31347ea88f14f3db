import { accountOperations } from "./account.ts";
import { agentOperations } from "./agent.ts";
import { claimOperations, ownerOperations, providerOperations } from "./capacity.ts";
import { deliveryOperations } from "./delivery.ts";
import { lenderOperations } from "./lender.ts";
import type {
  BodyOf,
  ParamsOf,
  QueryOf,
  ResponseOf,
  SentBodyOf,
  SentQueryOf,
} from "./operation.ts";
import { clientOperations, operatorOperations, publicOperations } from "./people.ts";
import { runOperations } from "./run.ts";

/** Every JSON operation by its name. */
export const contract = {
  ...publicOperations,
  ...operatorOperations,
  ...lenderOperations,
  ...clientOperations,
  ...accountOperations,
  ...runOperations,
  ...deliveryOperations,
  ...agentOperations,
  ...claimOperations,
  ...ownerOperations,
  ...providerOperations,
};
export type Contract = typeof contract;
export type OperationName = keyof Contract;

export type Params<N extends OperationName> = ParamsOf<Contract[N]>;
export type Query<N extends OperationName> = QueryOf<Contract[N]>;
export type Body<N extends OperationName> = BodyOf<Contract[N]>;
export type Response<N extends OperationName> = ResponseOf<Contract[N]>;
export type SentBody<N extends OperationName> = SentBodyOf<Contract[N]>;
export type SentQuery<N extends OperationName> = SentQueryOf<Contract[N]>;
