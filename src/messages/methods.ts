import { type DescMethod, getOption, toBinary } from "@bufbuild/protobuf";
import { MethodRule } from "../generated/stillhouse/v1/method.js";
import { PACKAGE, protoRegistry } from "./descriptors.js";

/** A method of our services, with what its option `rule` says. */
export interface Method {
  /** Such as "/stillhouse.v1.SweepService/GetSweep". */
  readonly path: string;
  readonly description: DescMethod;
  readonly rule: MethodRule;
  /** Its place on HTTP, if it has one. */
  readonly http: HttpPlace | undefined;
  /** The first sentences of its comment in the proto; never empty. */
  readonly comment: string;
}

export interface HttpPlace {
  readonly verb: "get" | "post" | "delete";
  /** Parts in braces are variable, as in "/api/v1/experiments/{id}:cancel". */
  readonly path: string;
}

const VERBS = { GET: "get", POST: "post", DELETE: "delete" } as const;

let methods: ReadonlyMap<string, Method> | undefined;

/** Every method of our services, by its path. */
export function serviceMethods(): ReadonlyMap<string, Method> {
  methods ??= new Map(
    [...protoRegistry()]
      .filter((type) => type.kind === "service" && type.typeName.startsWith(PACKAGE))
      .flatMap((service) => (service.kind === "service" ? service.methods : []))
      .map(methodOf)
      .map((method) => [method.path, method]),
  );
  return methods;
}

/** @param name such as "SweepService/GetSweep" */
export function httpPlaceOf(name: string): HttpPlace {
  const place = serviceMethods().get(`/${PACKAGE}.${name}`)?.http;
  if (place === undefined) throw new Error(`service.proto gives ${name} no place on HTTP`);
  return place;
}

function methodOf(description: DescMethod): Method {
  const rule = ruleOf(description);
  const [verb = "", path = ""] = rule.http.split(" ");
  return {
    path: `/${description.parent.typeName}/${description.name}`,
    description,
    rule,
    http: isVerb(verb) ? { verb: VERBS[verb], path } : undefined,
    comment: commentOf(description),
  };
}

function ruleOf(method: DescMethod): MethodRule {
  const option = protoRegistry().getExtension(`${PACKAGE}.rule`);
  if (option?.message === undefined) throw new Error("method.proto defines no option rule");
  const message = toBinary(option.message, getOption(method, option) as never);
  return MethodRule.decode(message);
}

function isVerb(verb: string): verb is keyof typeof VERBS {
  return Object.hasOwn(VERBS, verb);
}

/** Numbers of fields of FileDescriptorProto and ServiceDescriptorProto, as source locations name them. */
const [SERVICES, METHODS] = [6, 2];

function commentOf({ parent, name }: DescMethod): string {
  const { service: services, sourceCodeInfo } = parent.file.proto;
  const at = services.findIndex((service) => service.name === parent.name);
  const methodAt = services[at]?.method.findIndex((method) => method.name === name);
  const place = [SERVICES, at, METHODS, methodAt].join();
  const location = sourceCodeInfo?.location.find(({ path }) => path.join() === place);
  return location?.leadingComments.trim().replace(/\s*\n\s*/g, " ") ?? "";
}
